"""What a search maximises: named rules, each an order of trials, on the figures of their judging.

A rule names figures in order of importance. Trials are compared by the first, and by the next only
where the first is exactly the same, so the order is lexicographic and no weighted sum of figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.config import EvaluationSettings
from essay_scoring.search.search_settings import Objective
from essay_scoring.statistics.comparison import figures_of
from essay_scoring.statistics.counts import Draws, Mask, Tables, observed, sums_of, tabulate
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

RULES: dict[Objective, tuple[str, ...]] = {
    "worst_prompt_qwk_then_mean_qwk": ("worst_prompt_qwk", "mean_qwk"),
    "bottom_k_mean": ("bottom_k_mean",),
    "shrunken_worst": ("shrunken_worst_qwk",),
    "mean_qwk": ("mean_qwk",),
}
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

Key = tuple[float, ...]
"""The figures of a rule, most important first; compared as tuples are."""


def point_figures(
    predictions: Predictions, settings: EvaluationSettings
) -> dict[str, float | None]:
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


def key_of(figures: dict[str, float | None], objective: Objective) -> Key | None:
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
