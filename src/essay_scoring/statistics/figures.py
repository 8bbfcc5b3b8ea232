"""Figures of agreement from sums, for all resamples at once; NaN where a figure has no meaning."""

from __future__ import annotations

import warnings

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics import counts as c
from essay_scoring.statistics import weighted
from essay_scoring.statistics.counts import Draws, Sums, Tables
from essay_scoring.statistics.moments import Moments, pearson, pooled_qwk, qwk, ratio, smd


def sides(sums: FloatArray) -> Moments:
    """Return the sums of true and final scores among (..., N_MOMENTS), each (...)."""
    return Moments(*(sums[..., at] for at in (c.N, c.TRUE, c.FINAL, c.TRUE2, c.FINAL2, c.PRODUCT)))


def qwk_variance(sums: FloatArray) -> FloatArray:
    """Return the asymptotic variance of QWK, shape (..., N_MOMENTS) to (...).

    The delta method for quadratic weights (Fleiss, Cohen and Everitt 1969, the variance of weighted
    kappa that is not zero): with 1 - QWK = A / B, observed over expected disagreement, an essay
    moves QWK by h / B less a constant, h = 2 i j - QWK (i^2 + j^2) - 2 (1 - QWK) (i mean(j) + j
    mean(i)), so that the variance is that of h / B over n. Zero where all essays agree, NaN where
    QWK is undefined.
    """
    kappa, n = qwk(sides(sums)), sums[..., c.N]
    mean = ratio(sums, n[..., None])
    true, final = mean[..., c.TRUE], mean[..., c.FINAL]
    squares = mean[..., c.TRUE2] + mean[..., c.FINAL2]
    pull = -2 * (1 - kappa)
    h = -kappa * squares + 2 * mean[..., c.PRODUCT] + 2 * pull * true * final
    h_squared = (
        kappa**2 * mean[..., c.SS]
        + 4 * mean[..., c.PP]
        + pull**2 * (final**2 * mean[..., c.TRUE2] + true**2 * mean[..., c.FINAL2])
        - 4 * kappa * mean[..., c.SP]
        - 2 * kappa * pull * (final * mean[..., c.SI] + true * mean[..., c.SJ])
        + 4 * pull * (final * mean[..., c.PI] + true * mean[..., c.PJ])
        + 2 * pull**2 * true * final * mean[..., c.PRODUCT]
    )
    expected = squares - 2 * true * final
    return np.asarray(np.maximum(h_squared - h**2, 0) / (n * expected**2))


def to_common(groups: FloatArray, widths: FloatArray) -> FloatArray:
    """Return sums over all scales in the common unit, (..., S, runs, N_MOMENTS) to (..., runs, .).

    `widths` (S,) says what a step of each scale is worth.
    """
    power = np.zeros(c.N_MOMENTS)
    power[[c.TRUE, c.FINAL, c.ABSOLUTE]] = 1
    power[[c.TRUE2, c.FINAL2, c.PRODUCT]] = 2
    power[[c.SI, c.SJ, c.PI, c.PJ]] = 3
    power[[c.SS, c.SP, c.PP]] = 4
    return np.asarray((groups * (widths[:, None] ** power)[:, None, :]).sum(axis=-3))


def plain_figures(sums: FloatArray) -> dict[str, FloatArray]:
    """Return the figures that need no scale, each (...), from sums in one unit (..., N_MOMENTS)."""
    n, m = sums[..., c.N], sides(sums)
    return {
        "mae": ratio(sums[..., c.ABSOLUTE], n),
        "rmse": np.sqrt(np.maximum(ratio(m.xx + m.yy - 2 * m.xy, n), 0)),
        "exact": ratio(sums[..., c.EXACT], n),
        "adjacent": ratio(sums[..., c.ADJACENT], n),
        "pearson": pearson(m),
        "smd": smd(m),
        "low_tail_adjacent": ratio(sums[..., c.LOW_ADJACENT], sums[..., c.LOW]),
        "high_tail_adjacent": ratio(sums[..., c.HIGH_ADJACENT], sums[..., c.HIGH]),
    }


def group_figures(groups: FloatArray, widths: FloatArray) -> dict[str, FloatArray]:
    """Return QWK and the plain figures, (..., S, runs, N_MOMENTS) to (..., runs) each."""
    kappa = pooled_qwk(sides(groups), axis=-2)
    return {"qwk": kappa, **plain_figures(to_common(groups, widths))}


def overall_figures(sums: Sums) -> dict[str, FloatArray]:
    """Return each figure over all essays, each (R, runs), and `mean_qwk`, the mean over folds."""
    figures = group_figures(sums.groups.sum(axis=1), sums.layout.widths)
    return {**figures, "mean_qwk": mean_of_defined(fold_qwk(sums))}


def fold_qwk(sums: Sums) -> FloatArray:
    """Return QWK of each fold, shape (R, runs, F)."""
    return np.moveaxis(pooled_qwk(sides(sums.groups), axis=-2), 1, -1)


def prompt_qwk(sums: Sums) -> FloatArray:
    """Return QWK of each prompt on its own scale, shape (R, runs, P)."""
    return np.moveaxis(qwk(sides(sums.prompts)), 1, -1)


def prompt_variance(sums: Sums) -> FloatArray:
    """Return the variance of each prompt's QWK, shape (R, runs, P), at its size when drawn once."""
    variance = np.moveaxis(qwk_variance(sums.prompts), 1, -1)
    return np.asarray(variance * sums.drawn[:, None])


def mean_of_lowest(values: FloatArray, drawn: IntArray, k: int) -> FloatArray:
    """Return the mean of the k lowest defined values, (..., P) to (...); of all if fewer than k.

    A prompt drawn m times takes up to m of the k places, as m prompts with its value would.
    """
    drawn = np.where(np.isnan(values), 0, drawn)
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(np.nan_to_num(values), order, axis=-1)
    times = np.take_along_axis(drawn, order, axis=-1)
    before = np.cumsum(times, axis=-1) - times
    taken = np.clip(k - before, 0, times)
    return ratio((taken * ordered).sum(axis=-1), taken.sum(axis=-1))


def shrunken_lowest(values: FloatArray, variance: FloatArray, drawn: IntArray) -> FloatArray:
    """Return the lowest empirical-Bayes estimate of the defined values, (..., P) to (...).

    The lowest of many noisy values is low by chance too. Each value y of sampling variance v moves
    to m + t / (t + v) * (y - m) (Efron and Morris 1975): m is the mean of the values, t = max(0,
    S^2 - mean v) the variance between prompts, S^2 the sample variance of the values. That is the
    moment estimator with equal weights (DerSimonian and Kacker 2007, who derive DerSimonian and
    Laird's from weights 1 / v). Equal ones, since a QWK near 1 brings a small v with it: weights
    1 / v favour prompts that agree well, without bound where all essays agree, and simulated worst
    prompts come out too high. A prompt drawn m times counts as m prompts; a single one stays put.
    """
    drawn = np.where(np.isnan(values), 0, drawn)
    values, variance = np.nan_to_num(values), np.nan_to_num(variance)
    n = drawn.sum(axis=-1, keepdims=True)
    mean = ratio((drawn * values).sum(axis=-1, keepdims=True), n)
    spread = ratio((drawn * (values - mean) ** 2).sum(axis=-1, keepdims=True), n - 1.0)
    within = ratio((drawn * variance).sum(axis=-1, keepdims=True), n)
    between = np.maximum(np.nan_to_num(spread - within), 0)
    kept = np.nan_to_num(ratio(between, between + variance))
    shrunk = np.where(drawn > 0, mean + kept * (values - mean), np.inf).min(axis=-1)
    return np.where(n[..., 0] > 0, shrunk, np.nan)


def mean_of_defined(values: FloatArray) -> FloatArray:
    """Return the mean over the last axis without NaN; NaN where nothing is defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=-1))


def rank_figures(tables: Tables, draws: Draws) -> dict[str, FloatArray]:
    """Return correlations of one run, each (R,): `spearman` of final scores.

    Of a run tabulated with its raw predictions also `pearson_raw` and `spearman_raw`.
    """
    weights = draws.counts / np.repeat(draws.times, tables.rows_of_prompts)
    true, final, *raw = tables.values.T
    pairs, pair = np.unique(np.column_stack([true, final]), axis=0, return_inverse=True)
    held = weighted.summed_by(pair, weights)
    true_ranks, final_ranks = (weighted.midranks(held, column) for column in pairs.T)
    figures = {"spearman": weighted.pearson(held, true_ranks, final_ranks)}
    for values in raw:
        figures["pearson_raw"] = weighted.pearson(weights, true, values)
        ranks = weighted.midranks(weights, values)
        figures["spearman_raw"] = weighted.pearson(weights, true_ranks[:, pair], ranks)
    return figures
