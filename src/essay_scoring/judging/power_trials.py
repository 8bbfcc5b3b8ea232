"""The conditions a plan is tried in, and their simulations in worker processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.core.worker_pool import map_parts
from essay_scoring.judging.power_curve import Pairs
from essay_scoring.judging.power_pairs import (
    GAINS,
    Condition,
    Setting,
    Simulated,
    SimulatedCandidate,
    Truth,
    equal_to_reference,
    simulate,
    tasks_of,
)
from essay_scoring.models.mapping import map_out_of_fold
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.fits import read_fit
from essay_scoring.runs.mapped_predictions import plain_mapping
from essay_scoring.statistics.alignment import aligned_arms
from essay_scoring.statistics.power_population import Population, latent_correlation
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.simulation import Likeness, Where

DEFAULT_CORRELATION = 0.8
"""How errors correlate where nothing tells. On the corpus this was set on the reference's went with
those of other families, or of quite other columns, at 0.76 to 0.84; with those of trees by another
library, of another seed or on a few more columns, at 0.93 to 0.95."""

_OTHER_CORRELATIONS = (0.5, 0.95)

Gains = Mapping[Where, Sequence[float]]

_FEW_GAINS: Gains = {"everywhere": (0.05, 0.12)}


@dataclass(frozen=True)
class Trial:
    """A condition to try a plan in, how many equal pairs, and how many of each better candidate."""

    condition: Condition
    equal: int
    better: int
    gains: Gains


def trials_of(simulations: int, correlation: float) -> list[Trial]:
    """Return the conditions a plan is tried in: the present one first, then others beside it."""
    alike = Likeness(correlation)
    always = Likeness(correlation, shared_prompts=True)
    others = [value for value in _OTHER_CORRELATIONS if abs(value - correlation) > 0.02]
    beside = [
        *(Condition(f"errors correlated {value:.2f}", Likeness(value)) for value in others),
        Condition("twice the essays", alike, essays=2),
        Condition("four times the essays", alike, essays=4),
        Condition("twice the prompts", alike, prompts=2),
    ]
    few, fewer = simulations // 4, simulations // 6
    return [
        Trial(Condition("as it is", alike), simulations, fewer, GAINS),
        Trial(Condition("equal on every prompt", always), few, 0, {}),
        *(Trial(condition, few, fewer, _FEW_GAINS) for condition in beside),
    ]


def run_trials(
    trials: Sequence[Trial], settings: Sequence[Setting], progress: Progress, stage: str
) -> list[Pairs]:
    """Return what each trial found in its setting: equal scorers, then the better candidates."""
    gains = [trial.gains for trial in trials]
    candidates = list(map_parts(_candidates, list(zip(settings, gains, strict=True))))
    tasks, owners = [], []
    for at, (trial, setting) in enumerate(zip(trials, settings, strict=True)):
        for place, candidate in enumerate(candidates[at]):
            n = trial.better if place else trial.equal
            own = tasks_of(setting, candidate, n)
            tasks += own
            owners += [(at, place)] * len(own)
    parts: dict[tuple[int, int], list[Simulated]] = {owner: [] for owner in owners}
    with progress.stage(stage, sum(task.stop - task.start for task in tasks), "pairs") as advance:
        for owner, task, found in zip(owners, tasks, map_parts(simulate, tasks), strict=True):
            parts[owner].append(found)
            advance(task.stop - task.start)
    return [
        [(one, Simulated.joined(parts[at, place])) for place, one in enumerate(own)]
        for at, own in enumerate(candidates)
    ]


def until_known(
    setting: Setting, simulated: Simulated, most: int, progress: Progress, stage: str
) -> Simulated:
    """Return equal pairs, those given and more, until the plan's `power_error` is reached."""
    equal = equal_to_reference(setting.plan)
    while (n := len(simulated.results)) < most:
        rate = simulated.results.count("pass") / n
        # A rate of nothing or of everything is not known exactly.
        share = min(max(rate, 1 / n), 1 - 1 / n)
        wanted = min(most, math.ceil(share * (1 - share) / setting.plan.power_error**2))
        if wanted <= n:
            break
        tasks = tasks_of(setting, equal, wanted, n)
        with progress.stage(f"{stage}, more", wanted - n, "pairs") as advance:
            for task, part in zip(tasks, map_parts(simulate, tasks), strict=True):
                simulated = Simulated.joined([simulated, part])
                advance(task.stop - task.start)
    return simulated


def correlation_of(
    population: Population, reference: RunRecord, given: float | None, like: RunRecord | None
) -> tuple[float, str]:
    """Return how the errors of reference and candidate correlate, and how that is known.

    As given; else as between the reference and `like`; else as between the reference and the most
    similar of its own baselines; else DEFAULT_CORRELATION. InputError for both of the first.
    """
    run = reference.predictions
    if given is not None and like is not None:
        raise InputError("a correlation and a run to estimate it from", mend="give one of them")
    if given is not None:
        return given, "as given"
    if like is not None:
        _, [other] = aligned_arms(run, like.predictions)
        return latent_correlation(population, run, other), f"as with {like.folder.name}"
    found = {
        name: latent_correlation(population, run, other)
        for name, other in baselines_of(reference).items()
    }
    if not found:
        return DEFAULT_CORRELATION, "assumed, for want of a baseline to estimate it from"
    nearest = max(found, key=lambda name: found[name])
    return found[nearest], f"as with the reference's own baseline '{nearest}'"


def baselines_of(reference: RunRecord) -> dict[str, Predictions]:
    """Return the out-of-fold predictions of a run's baselines, as far as its folder holds them."""
    run, out = reference.predictions, {}
    for folder in sorted((reference.folder / "models" / "baselines").glob("*")):
        fits = [read_fit(path) for path in sorted(folder.glob("fold-*"))]
        raw_of = {record: raw for fit in fits for record, raw in zip(fit.ids, fit.raw, strict=True)}
        if raw_of.keys() >= set(run.ids):
            raw = np.array([raw_of[record] for record in run.ids])
            mapping = plain_mapping(reference.metrics.mapping.name)  # type: ignore[arg-type]
            mapped = map_out_of_fold(raw, run.true, run.folds, run.prompts, run.scales, mapping)
            out[folder.name] = replace(run, raw=raw, final=mapped.final)
    return out


def _candidates(of: tuple[Setting, Gains]) -> list[SimulatedCandidate]:
    """Return equal scorers and the candidates with these gains, in one setting."""
    setting, gains = of
    out = [equal_to_reference(setting.plan)]
    if gains:
        truth = Truth(setting)
        for where, wanted in gains.items():
            out += truth.candidates(where, wanted)
    return out
