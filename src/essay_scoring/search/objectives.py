"""What a search maximises and what may not get worse: rules that order trials, and guardrails.

A rule names figures in order of importance. Trials are compared by the first, and by the next only
where the first is exactly the same, so the order is lexicographic and no weighted sum of figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.records.search import RULES, Figures, Key, Outcome
from essay_scoring.records.search_settings import Guardrails, Objective
from essay_scoring.statistics.comparison import figures_of
from essay_scoring.statistics.counts import Draws, Mask, Tables, observed, sums_of, tabulate
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

TAILS = ("low_tail_adjacent", "high_tail_adjacent")
"""The guarded figures."""

SHOWN = (
    "mean_qwk",
    "pooled_qwk",
    "worst_prompt_qwk",
    "bottom_k_mean",
    "shrunken_worst_qwk",
    *TAILS,
    "mae",
)
"""The figures that every trial is shown with."""

_DIGITS = 12
"""Equal figures of different prompts may differ in their last bits; that must not break a tie."""


def point_figures(predictions: Predictions, settings: EvaluationSettings) -> Figures:
    """Return the figures of SHOWN, None where one has no meaning."""
    tables = tabulate([predictions])
    arrays = figure_arrays(tables, observed(tables), settings, strict=True)
    return {name: finite_or_none(float(values[0, 0])) for name, values in arrays.items()}


def figure_arrays(
    tables: Tables, draws: Draws, settings: EvaluationSettings, *, strict: bool = False
) -> dict[str, FloatArray]:
    """Return the figures of SHOWN of every run in every resample, each (R, runs).

    `strict`: a fold without a defined QWK leaves no mean.
    """
    large = tables.layout.sizes >= settings.min_prompt_n
    figures = figures_of(sums_of(tables, draws), large, settings.bottom_k, strict=strict)
    return {name: figures[name] for name in SHOWN}


def key_of(figures: Figures, objective: Objective) -> Key | None:
    """Return what a rule compares, None where one of its figures is missing."""
    values = [figures[name] for name in RULES[objective]]
    known = tuple(round(value, _DIGITS) for value in values if value is not None)
    return known if len(known) == len(values) else None


def best_runs(
    figures: dict[str, FloatArray], objective: Objective, allowed: Mask | None = None
) -> IntArray:
    """Return the position of the best run of each resample, shape (R,); ties go to the first.

    `allowed` (R, runs) says which may be selected; where none may, the last is.
    """
    values_of = (np.round(figures[name], _DIGITS) for name in RULES[objective])
    columns = [np.nan_to_num(values, nan=-np.inf) for values in values_of]
    best = np.ones(columns[0].shape, dtype=np.bool_) if allowed is None else allowed.copy()
    best[~best.any(axis=1), -1] = True
    for values in columns:
        among = np.where(best, values, -np.inf)
        best &= among == among.max(axis=1, keepdims=True)
    return np.asarray(best.argmax(axis=1), dtype=np.int64)


def ranks(keys: Sequence[Key | None]) -> list[int]:
    """Return the place of each key in ascending order, equal keys sharing one; None is lowest.

    A sampler that wants one number per trial gets this one: it holds the order exactly.
    """
    known = sorted({key for key in keys if key is not None})
    place = {key: at for at, key in enumerate(known, start=1)}
    return [0 if key is None else place[key] for key in keys]


@dataclass(frozen=True)
class TailGuard:
    """Holds trials to the reference's tails on the same folds; not `enforced` it only measures.

    Neither tail may get worse than the reference's by more than its tolerance.
    """

    reference: Outcome
    tolerance: Guardrails
    enforced: bool = True

    def excess(self, figures: Figures) -> dict[str, float]:
        """Return by how much each tail falls below what is allowed; above 0 breaks the guardrail.

        A tail without essays is left out, or raises InputError where the guardrail is enforced.
        """
        out = {}
        for tail in TAILS:
            ours, theirs = figures[tail], self.reference.figures[tail]
            if ours is not None and theirs is not None:
                # A tie with the tolerance must not fail by the last bit of a subtraction.
                out[tail] = round(theirs - ours - getattr(self.tolerance, tail), _DIGITS)
            elif self.enforced:
                raise InputError(
                    f"no essay lies in the {tail.removesuffix('_adjacent').replace('_', ' ')}",
                    where="guardrails",
                    mend="search on essays of both tails, or give --allow-tail-regression",
                )
        return out

    def constraints(self, outcome: Outcome) -> dict[str, float]:
        """Return Optuna's constraints, 0 or less being feasible; {} where none is enforced."""
        known = self.enforced and outcome.state == "complete"
        return self.excess(outcome.figures) if known else {}

    def keeps(self, figures: Figures) -> bool:
        """Tell whether both tails are as good as they must be to be selected."""
        return not self.enforced or not self.breaks(figures)

    def breaks(self, figures: Figures) -> bool:
        """Tell whether a tail is worse than tolerated, enforced or not."""
        return any(value > 0 for value in self.excess(figures).values())


def require_objective(reference: Outcome, part: str) -> None:
    """Raise InputError where the reference itself has no figure to be compared by."""
    if reference.state != "complete":
        raise InputError(
            f"the reference ended as {reference.state} ({reference.reason})",
            where=f"guardrails, {part}",
            mend="lower evaluation.min_prompt_n, or choose another objective or reference",
        )
