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
from essay_scoring.statistics.moments import Moments, moment_columns, qwk
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.true_scores import N_COLUMNS, of_sums, rating_columns
from essay_scoring.statistics.weighted import summed_by

THRESHOLD_FREE = CONTINUOUS_QWK, PRMSE = "continuous_qwk", "prmse"
_N_MOMENTS = 6


def prompt_sums(runs: Sequence[Predictions]) -> FloatArray:
    """Return what the figures rest on, summed by prompt in order of name: (P, runs, k).

    `runs` are aligned, and so is what is summed of them: parts of one may stand for parts of
    another. Without second ratings k is smaller and there is no `prmse`.
    """
    first = runs[0]
    _, prompt_of = first.numbered_prompts()
    true = first.in_common_unit(first.true)
    centre = float(true.mean())
    ratings = None
    if first.second is not None and first.has_second:
        ratings = np.column_stack([true, first.in_common_unit(first.second)])
    out = []
    for run in runs:
        raw = run.in_common_unit(run.raw)
        columns = moment_columns(true - centre, raw - centre)
        if ratings is not None:
            columns = np.column_stack([columns, rating_columns(raw, ratings)])
        out.append(summed_by(prompt_of, columns.T).T)
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


def doubly_rated(sums: FloatArray) -> FloatArray:
    """Return how many essays of each prompt have a second rating, (P,), by those sums."""
    if sums.shape[-1] == _N_MOMENTS:
        return np.zeros(len(sums))
    essays, ratings = sums[:, 0, _N_MOMENTS], sums[:, 0, _N_MOMENTS + 1]
    return np.asarray(ratings - essays)
