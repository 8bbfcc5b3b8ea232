"""Predictions of two scorers, held in arrays, compared and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow

from essay_scoring.api.arrow_tables import arrow_table
from essay_scoring.api.notebook import NotebookTable, fragment
from essay_scoring.api.plan_presets import plan_of
from essay_scoring.core.errors import ArgumentError, EvidenceError
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.number_text import number, with_interval
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScales
from essay_scoring.judging.gates import judge
from essay_scoring.judging.plans import GatePlan
from essay_scoring.models.mapping import map_out_of_fold
from essay_scoring.records.judgements import Decision, Outcome, Verdict
from essay_scoring.reports.comparison_tables import DELTA_NAMES
from essay_scoring.reports.study_table import CHECK_HEADER, check_row
from essay_scoring.scoring.arguments import (
    Labels,
    Scale,
    labels_from,
    numbers_from,
    require_held,
    require_length,
    scales_from,
)
from essay_scoring.statistics import comparison as paired
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.predictions import Predictions, Refit, refit_of
from essay_scoring.statistics.slices import constant_prompts

ArrayMapping = Literal["as_given", "round_half_band", Refit]
"""How predictions become scores: not at all, to the nearest, or fitted on the other folds."""

_ALL = "all essays"


@dataclass(frozen=True, eq=False)
class ScoreVerdict:
    """What a gate plan says of a candidate: `outcome`, what follows from it, and each check."""

    verdict: Verdict

    @property
    def outcome(self) -> Outcome:
        """Return pass, fail or inconclusive."""
        return self.verdict.outcome

    @property
    def decision(self) -> Decision:
        """Return proceed, defer or inconclusive."""
        return self.verdict.decision

    @property
    def checks(self) -> pyarrow.Table:
        """Return one row a check, in the plan's order."""
        return arrow_table(check.model_dump() for check in self.verdict.findings)

    def _repr_html_(self) -> str:
        rows = [check_row(check) for check in self.verdict.findings]
        table = NotebookTable(f"Checks of {self.verdict.plan}", CHECK_HEADER, rows)
        return fragment([f"{self.outcome}: {self.decision}."], [table])


@dataclass(frozen=True, eq=False)
class ScoreComparison:
    """A candidate's scores against a reference's on the same essays; each arm one run or more."""

    comparison: Comparison
    mapping: ArrayMapping
    reference: tuple[Predictions, ...]
    candidate: tuple[Predictions, ...]

    @property
    def deltas(self) -> pyarrow.Table:
        """Return one row a figure: both arms', candidate minus reference, its 95% interval."""
        return arrow_table(row.model_dump(exclude={"seeds"}) for row in self.comparison.rows)

    def judge(self, plan: GatePlan | str | Path) -> ScoreVerdict:
        """Return the verdict of a gate plan: a TOML file, or a preset by name.

        As `compare-cv-runs`, it asks neither when the plan was written nor how the predictions were
        made. Raises EvidenceError for a plan of a reference or scheme that arrays do not show, or a
        check that the essays cannot answer.
        """
        asked = plan_of(plan)
        self._require_shown(asked)
        comparison = paired.compare(
            self.reference,
            self.candidate,
            min_prompt_n=asked.min_prompt_n,
            bottom_k=asked.bottom_k,
            seed=derive_seed(0, "comparison", asked.sha256),
        )
        constant = constant_prompts(self.reference[0], asked.min_prompt_n)
        return ScoreVerdict(judge(asked, comparison, constant))

    def _require_shown(self, plan: GatePlan) -> None:
        """Raise EvidenceError for what a plan asks and arrays cannot show."""
        where = f"gate {plan.name}"
        if plan.reference:
            raise EvidenceError(
                "the plan is about one reference's config, which arrays do not show",
                where=where,
                mend="judge run folders with it, or take a plan without [reference]",
            )
        run = self.reference[0]
        folds_of: dict[str, set[int]] = {}
        for prompt, fold in zip(run.prompts, run.folds.tolist(), strict=True):
            folds_of.setdefault(prompt, set()).add(fold)
        divided = [prompt for prompt, folds in folds_of.items() if len(folds) > 1]
        if plan.scheme == "prompt_holdout" and (divided or len(set(run.folds.tolist())) < 2):
            raise EvidenceError(
                f"the plan judges prompts held out whole, and the folds of {len(divided)} of "
                f"{len(folds_of)} prompts do not"
                if divided
                else "the plan judges prompts held out whole, and there is a single fold",
                where=where,
                mend="give prompts and the fold that held each out, or take another plan",
            )

    def _repr_html_(self) -> str:
        rows = [
            [
                DELTA_NAMES[row.metric],
                number(row.reference),
                number(row.candidate),
                with_interval(row.estimate, row.low, row.high, sign=True),
                str(row.n),
            ]
            for row in self.comparison.rows
        ]
        of = self.comparison
        told = f"{of.n} essays, {of.n_prompts} prompts, {of.n_folds} folds; scores {self.mapping}."
        header = ("figure", "reference", "candidate", "delta [95%]", "n")
        return fragment([told], [NotebookTable("Candidate minus reference", header, rows)])


def compare(  # noqa: PLR0913 - one parameter for each thing that two arms share
    true: npt.ArrayLike,
    reference: npt.ArrayLike,
    candidate: npt.ArrayLike,
    *,
    prompts: Labels | None = None,
    folds: npt.ArrayLike | None = None,
    scale: Scale,
    mapping: ArrayMapping | None = None,
    min_prompt_n: int = 30,
    bottom_k: int = 5,
    replicates: int = 2000,
) -> ScoreComparison:
    """Return candidate minus reference, every figure with the 95% interval that it has.

    `true` are the raters' scores (n,); each arm's predictions are (n,), or (seeds, n), out of fold.
    `folds` (n,) numbers the fold that held each essay out, `prompts` (n,) names its prompt: without
    six prompts no figure has an interval. `mapping` None leaves labels of the scale as they are;
    other predictions get cut-points of the other folds, or are rounded where there are none. Raises
    ArgumentError (a ValueError) for arguments that cannot be used.
    """
    where = "compare"
    scores = numbers_from(true, "true", where)
    names = (_ALL,) * len(scores)
    if prompts is not None:
        names = labels_from(prompts, len(scores), "prompts", where)
    scales = scales_from(scale, where)
    require_held(scores, names, scales, "true", where)
    scores = scales.round(scores, names)
    numbers = _folds(folds, len(scores))
    named = (reference, "reference"), (candidate, "candidate")
    arms = [_runs(arm, name, len(scores)) for arm, name in named]
    mapping = mapping or _mapping([*arms[0], *arms[1]], names, scales, numbers)
    first, second = (
        tuple(_predictions(raw, scores, names, numbers, scales, mapping) for raw in arm)
        for arm in arms
    )
    comparison = paired.compare(
        first, second, min_prompt_n=min_prompt_n, bottom_k=bottom_k, replicates=replicates
    )
    return ScoreComparison(comparison, mapping, first, second)


def _folds(folds: npt.ArrayLike | None, n: int) -> IntArray:
    """Return the folds as whole numbers; one fold where they are not told."""
    if folds is None:
        return np.zeros(n, dtype=np.int64)
    numbers = numbers_from(folds, "folds", "compare")
    require_length(len(numbers), n, "folds", "compare")
    if (numbers != np.floor(numbers)).any():
        raise ArgumentError(
            "a fold is no whole number", where="compare, folds", mend="number them 0, 1, 2 ..."
        )
    return numbers.astype(np.int64)


def _runs(arm: npt.ArrayLike, name: str, n: int) -> list[FloatArray]:
    """Return the predictions of each seed of an arm, (n,) each."""
    several = np.ndim(arm) == 2
    seeds = np.asarray(arm) if several else [arm]
    runs = [numbers_from(seed, name, "compare") for seed in seeds]
    for run in runs:
        require_length(len(run), n, f"predictions of the {name}", "compare")
    return runs


def _mapping(
    runs: Sequence[FloatArray], prompts: Sequence[str], scales: ScoreScales, folds: IntArray
) -> ArrayMapping:
    """Return how predictions become scores where nobody says."""
    on_scale = all(
        scale.holds(run[rows]).all()
        for run in runs
        for scale, rows in scales.for_prompts(prompts).items()
    )
    if on_scale:
        return "as_given"
    several = scales.shared is not None and len(np.unique(folds)) > 1
    return "qwk_cutpoints_lfo" if several else "round_half_band"


def _predictions(
    raw: FloatArray,
    true: FloatArray,
    prompts: tuple[str, ...],
    folds: IntArray,
    scales: ScoreScales,
    mapping: ArrayMapping,
) -> Predictions:
    """Return one run's rows, its scores made by the mapping."""
    if mapping == "as_given":
        require_held(raw, prompts, scales, "predictions", "compare")
        final = scales.round(raw, prompts)
    else:
        final = map_out_of_fold(raw, true, folds, prompts, scales, mapping).final
    ids = tuple(map(str, range(len(raw))))
    return Predictions(ids, prompts, folds, true, raw, final, scales, refit_of(mapping))
