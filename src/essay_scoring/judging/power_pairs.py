"""What a gate plan can tell, before any candidate runs: false passes and power, by simulation.

Each simulation draws prompts, essays and two scorers whose true difference is known (see
`simulation`), and judges them by the very code that judges runs. A candidate is bettered until its
true gain, that of endlessly many essays, is what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.gates import judge
from essay_scoring.judging.plans import GatePlan
from essay_scoring.models.mapping import mapped_anew
from essay_scoring.records.judgements import Outcome, Verdict
from essay_scoring.records.power_results import Scenario
from essay_scoring.statistics.comparison import compare, figures_of
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.figures import prompt_qwk
from essay_scoring.statistics.power_population import Population
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.simulation import (
    CANDIDATE,
    REFERENCE,
    Likeness,
    Places,
    ScaleWorlds,
    Where,
    alone,
    draw_pair,
    draw_worlds,
    enlarged,
    improved,
    label_grid,
    true_sums,
)
from essay_scoring.statistics.threshold_free import (
    THRESHOLD_FREE,
    prompt_sums,
    threshold_free_figures,
)

SimulatedResult = Outcome | Literal["invalid"]

GAINS: dict[Where, tuple[float, ...]] = {
    "everywhere": (0.02, 0.04, 0.07, 0.10, 0.15),
    "worst_prompts": (0.10, 0.20, 0.30),
    "low_tail": (0.04, 0.08, 0.14),
}
"""The true gains of simulated candidates: in pooled QWK, in the QWK of the prompts bettered, and in
the adjacent agreement of the low tail."""

REPLICATES = 200
"""Resamples for each simulated interval; the ends of an interval then vary by a twelfth of its
width, which costs a plan next to nothing in false passes."""

AT_A_TIME = 25
WORLDS = 200
"""Draws of the prompts over which true figures are averaged."""

_MOST_NUMBERS = 4_000_000
_SHARES = (0.1, 0.25, 0.5, 1.0)
"""Between these shares of errors removed, true gains are interpolated: they grow almost evenly."""


@dataclass(frozen=True)
class Condition:
    """Where a plan is tried: so many times the essays and prompts, with scorers so alike."""

    name: str
    likeness: Likeness
    essays: int = 1
    prompts: int = 1


@dataclass(frozen=True, eq=False)
class Setting:
    """A plan tried in a condition, on places for essays of that many prompts."""

    plan: GatePlan
    population: Population
    condition: Condition
    rows: Predictions
    replicates: int
    seed: int = 0

    @classmethod
    def of(
        cls,
        plan: GatePlan,
        population: Population,
        reference: Predictions,
        condition: Condition,
        seed: int = 0,
    ) -> Setting:
        """Return the setting of a condition; the point rule needs no swaps of prompts."""
        rows = enlarged(reference, essays=condition.essays, prompts=condition.prompts)
        replicates = REPLICATES if plan.rule == "interval" else 0
        return cls(plan, population, condition, rows, replicates, seed)

    @cached_property
    def places(self) -> Places:
        """Where essays stand."""
        return Places.of(self.rows)

    @property
    def large(self) -> Mask:
        """Which prompts the plan judges alone, (P,)."""
        return np.asarray(self.places.sizes >= self.plan.min_prompt_n)


@dataclass(frozen=True)
class SimulatedCandidate:
    """A candidate to simulate: where it is better, by what share its errors are smaller.

    `gain` is its true gain in the scenario's own figure, `deltas` those in each check of the plan.
    """

    scenario: Scenario
    share: float
    gain: float
    deltas: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """Simulations `start` to `stop` of one candidate in one setting."""

    setting: Setting
    candidate: SimulatedCandidate
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Simulated:
    """What n simulations found: results (n,), and for each check, (n, checks), whether it passed.

    `reference` and `deltas` are its figures. A margin says by how much the estimate, or the
    interval's lower end under the rule `interval`, clears the threshold. All three are NaN where
    the evidence was invalid.
    """

    results: tuple[SimulatedResult, ...]
    passed: Mask
    reference: FloatArray
    deltas: FloatArray
    margins: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Simulated]) -> Simulated:
        """Return all parts as one."""
        return cls(
            tuple(result for part in parts for result in part.results),
            np.concatenate([part.passed for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("reference", "deltas", "margins")
            ),
        )


def equal_to_reference(plan: GatePlan) -> SimulatedCandidate:
    """Return the candidate that is as good as the reference: exchangeable, so no true delta."""
    return SimulatedCandidate("equal", 0.0, 0.0, (0.0,) * len(plan.checks))


class Truth:
    """True figures of candidates in a setting, over many draws of its prompts."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        places = setting.places
        self._grid = label_grid(places)
        worlds = min(WORLDS, max(20, _MOST_NUMBERS // len(self._grid.counts)))
        rng = np.random.default_rng(
            derive_seed(setting.seed, "power", "truth", setting.condition.name)
        )
        self._equal = draw_worlds(
            setting.population, places, setting.condition.likeness, worlds, rng
        )
        self._base, self._base_kappa = self._figures(self._equal)

    def candidates(self, where: Where, gains: Sequence[float]) -> list[SimulatedCandidate]:
        """Return candidates with these true gains, or with the largest there can be there."""
        with one_thread():
            gained = [self._candidate(where, share).gain for share in _SHARES]
            reached = np.maximum.accumulate([0.0, *gained])
            wanted = [gain for gain in gains if gain <= reached[-1]] or [float(reached[-1])]
            shares = np.interp(wanted, reached, [0.0, *_SHARES])
            return [self._candidate(where, float(share)) for share in shares]

    def _candidate(self, where: Where, share: float) -> SimulatedCandidate:
        setting, plan = self._setting, self._setting.plan
        parts = improved(self._equal, share, where, setting.large, plan.bottom_k)
        figures, kappa = self._figures(parts)
        # Equal scorers differ by nothing but the draw of prompts, which both terms share.
        moved = {name: float((figures[name] - self._base[name]).mean()) for name in figures}
        gain = moved["low_tail_adjacent" if where == "low_tail" else "pooled_qwk"]
        if where == "worst_prompts":
            bettered = min(plan.bottom_k, int(setting.large.sum()))
            gain = float(np.nansum(kappa - self._base_kappa, axis=1).mean() / max(1, bettered))
        if any(check.metric in THRESHOLD_FREE for check in plan.checks):
            moved |= self._moved_before_mapping(parts)
        deltas = tuple(moved.get(check.metric, np.nan) for check in plan.checks)
        return SimulatedCandidate(where, share, gain, deltas)

    def _moved_before_mapping(self, parts: Sequence[ScaleWorlds]) -> dict[str, float]:
        """Return the true gains in figures of raw predictions, from essays drawn in every world.

        Better and equal candidates get the same draws, so that their noise falls away.
        """
        better, equal = self._before_mapping(parts), self._equal_before_mapping
        return {name: float(np.nanmean(better[name] - equal[name])) for name in better}

    @cached_property
    def _equal_before_mapping(self) -> dict[str, FloatArray]:
        return self._before_mapping(self._equal)

    def _before_mapping(self, parts: Sequence[ScaleWorlds]) -> dict[str, FloatArray]:
        """Return the candidate's figures of raw predictions of essays drawn in each world, (W,)."""
        setting = self._setting
        correlation = setting.condition.likeness.correlation
        sums = []
        for world in range(len(parts[0].labels)):
            rng = np.random.default_rng(derive_seed(setting.seed, "power", "raw", world))
            _, candidate = draw_pair(alone(parts, world), setting.places, correlation, rng)
            sums.append(prompt_sums([candidate])[:, 0].sum(axis=0))
        return threshold_free_figures(np.stack(sums))

    def _figures(self, parts: Sequence[ScaleWorlds]) -> tuple[dict[str, FloatArray], FloatArray]:
        """Return candidate minus reference of each figure, (W,), and the candidate's QWK (W, P)."""
        setting = self._setting
        sums = true_sums(parts, setting.places, self._grid)
        figures = figures_of(sums, setting.large, setting.plan.bottom_k, strict=False)
        deltas = {name: f[:, CANDIDATE] - f[:, REFERENCE] for name, f in figures.items()}
        return deltas, prompt_qwk(sums)[:, CANDIDATE]


def tasks_of(setting: Setting, candidate: SimulatedCandidate, n: int, start: int = 0) -> list[Task]:
    """Return the simulations of a candidate from `start` to n as tasks of a few."""
    starts = range(start, n, AT_A_TIME)
    return [Task(setting, candidate, start, min(n, start + AT_A_TIME)) for start in starts]


def simulate(task: Task) -> Simulated:
    """Return what the task's simulations found; each depends on its number and names alone."""
    with one_thread():
        verdicts = [_verdict(task, number) for number in range(task.start, task.stop)]
    n_checks = len(task.setting.plan.checks)
    passed = np.zeros((len(verdicts), n_checks), dtype=bool)
    figures = np.full((3, len(verdicts), n_checks), np.nan)
    for row, verdict in enumerate(verdicts):
        for check, finding in enumerate(verdict.findings if verdict else ()):
            reached = finding.low if task.setting.plan.rule == "interval" else finding.delta
            margin = np.nan if reached is None else reached - finding.threshold
            passed[row, check] = finding.result == "passed"
            figures[:, row, check] = finding.reference, finding.delta, margin
    results: list[SimulatedResult] = [
        verdict.outcome if verdict else "invalid" for verdict in verdicts
    ]
    return Simulated(tuple(results), passed, *figures)


def one_thread() -> AbstractContextManager[object]:
    """Return a context of products on one thread.

    Small ones gain nothing from more, and lose much where several processes share a machine.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return cast("AbstractContextManager[object]", threadpool_limits(limits=1))


def _verdict(task: Task, number: int) -> Verdict | None:
    """Return the plan's verdict on one drawn pair, None where its evidence is invalid."""
    setting, plan, candidate = task.setting, task.setting.plan, task.candidate
    likeness = setting.condition.likeness
    name = (setting.condition.name, candidate.scenario, f"{candidate.share:.6f}", number)
    rng = np.random.default_rng(derive_seed(setting.seed, "power", *name))
    parts = draw_worlds(setting.population, setting.places, likeness, 1, rng)
    if candidate.scenario != "equal":
        where, share = candidate.scenario, candidate.share
        parts = improved(parts, share, where, setting.large, plan.bottom_k)
    comparison = compare(
        *map(mapped_anew, draw_pair(parts, setting.places, likeness.correlation, rng)),
        min_prompt_n=plan.min_prompt_n,
        bottom_k=plan.bottom_k,
        replicates=setting.replicates,
        seed=derive_seed(setting.seed, "power", "resamples", *name),
    )
    try:
        return judge(plan, comparison)
    except EvidenceError:
        return None
