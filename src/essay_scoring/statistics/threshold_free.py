"""Figures of predictions as they are before they are mapped to labels: no cut-point touches them.

`continuous_qwk` is quadratic weighted kappa of predictions and scores in the unit of overall
figures (Haberman 2019), `prmse` the proportional reduction in mean squared error when true scores
are predicted (Haberman 2008): what raters would agree on in the long run, known where some essays
have a second rating.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.moments import Moments, qwk
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.true_scores import N_COLUMNS, of_sums, rating_columns

CONTINUOUS_QWK, PRMSE = "continuous_qwk", "prmse"
_N_MOMENTS = 6


def has_second_ratings(run: Predictions) -> bool:
    """Tell whether some essays of a run have a second rating, which `prmse` needs."""
    return run.second is not None and bool(np.isfinite(run.second).any())


def prompt_sums(runs: Sequence[Predictions]) -> FloatArray:
    """Return what the figures rest on, summed by prompt in order of name: (P, runs, k).

    `runs` are aligned, and so is what is summed of them: parts of one may stand for parts of
    another. Without second ratings k is smaller and there is no `prmse`.
    """
    first = runs[0]
    prompts, prompt_of = first.numbered_prompts()
    true = first.in_common_unit(first.true)
    centre = float(true.mean())
    out = []
    for run in runs:
        raw = run.in_common_unit(run.raw)
        x, y = true - centre, raw - centre
        columns = np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])
        if has_second_ratings(first):
            columns = np.column_stack([columns, rating_columns(raw, _ratings(first, true))])
        sums = np.zeros((len(prompts), columns.shape[1]))
        np.add.at(sums, prompt_of, columns)
        out.append(sums)
    return np.stack(out, axis=1)


def threshold_free_figures(sums: FloatArray) -> dict[str, FloatArray]:
    """Return the figures of sums (..., k) of those of `prompt_sums`, each (...)."""
    figures = {CONTINUOUS_QWK: qwk(Moments(*np.moveaxis(sums[..., :_N_MOMENTS], -1, 0)))}
    if sums.shape[-1] == _N_MOMENTS + N_COLUMNS:
        figures[PRMSE] = of_sums(sums[..., _N_MOMENTS:]).prmse
    return figures


def swapped_sums(sums: FloatArray, swaps: FloatArray, one: int, other: int) -> FloatArray:
    """Return the sums (R, 2, k) of two runs with the prompts marked in `swaps` (R, P) changed."""
    moved = swaps @ (sums[:, other] - sums[:, one])
    whole = sums.sum(axis=0)
    return np.stack([whole[one] + moved, whole[other] - moved], axis=1)


def doubly_rated(run: Predictions) -> FloatArray:
    """Return how many essays of each prompt have a second rating, (P,)."""
    prompts, prompt_of = run.numbered_prompts()
    second = np.full(len(run), np.nan) if run.second is None else run.second
    return np.bincount(prompt_of, np.isfinite(second), len(prompts)).astype(np.float64)


def _ratings(run: Predictions, true: FloatArray) -> FloatArray:
    """Return both ratings of each essay in the common unit, (n, 2), NaN for a missing second."""
    assert run.second is not None
    known = np.isfinite(run.second)
    second = run.in_common_unit(np.where(known, run.second, run.true))
    return np.column_stack([true, np.where(known, second, np.nan)])
