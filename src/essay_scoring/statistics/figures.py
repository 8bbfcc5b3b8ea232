"""Figures of agreement from sums, for all resamples at once; NaN where a figure has no meaning."""

from __future__ import annotations

import warnings

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics import counts as c
from essay_scoring.statistics.counts import Draws, Sums, Tables


def qwk_of_sums(sums: FloatArray) -> FloatArray:
    """Return QWK, shape (..., N_MOMENTS) to (...), over the full label list.

    n * sum (i - j)^2 / (n * sum(i^2 + j^2) - 2 * sum i * sum j) is observed over expected
    disagreement: the marginals enter the expected one only through their first two moments.
    """
    n, true, final = sums[..., c.N], sums[..., c.TRUE], sums[..., c.FINAL]
    squares = sums[..., c.TRUE2] + sums[..., c.FINAL2]
    expected = n * squares - 2 * true * final
    observed = n * (squares - 2 * sums[..., c.PRODUCT])
    return 1 - _ratio(observed, np.where(expected > 1e-10 * n * squares, expected, np.nan))


def qwk_variance(sums: FloatArray) -> FloatArray:
    """Return the asymptotic variance of QWK, shape (..., N_MOMENTS) to (...).

    The delta method for quadratic weights (Fleiss, Cohen and Everitt 1969, the variance of weighted
    kappa that is not zero): with 1 - QWK = A / B of `qwk_of_sums`, an essay moves QWK by h / B less
    a constant, h = 2 i j - QWK (i^2 + j^2) - 2 (1 - QWK) (i mean(j) + j mean(i)), so that the
    variance is that of h / B over n. Zero where all essays agree, NaN where QWK is undefined.
    """
    kappa, n = qwk_of_sums(sums), sums[..., c.N]
    mean = _ratio(sums, n[..., None])
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


def pooled_qwk(groups: FloatArray) -> FloatArray:
    """Return QWK of essays of several scales, (..., S, runs, N_MOMENTS) to (..., runs).

    The mean of each scale's QWK weighted by its essays: a label means nothing on another scale.
    Scales whose QWK is undefined are left out.
    """
    kappa, n = qwk_of_sums(groups), groups[..., c.N]
    n = np.where(np.isnan(kappa), 0.0, n)
    return _ratio((np.nan_to_num(kappa) * n).sum(axis=-2), n.sum(axis=-2))


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
    n = sums[..., c.N]
    squared = sums[..., c.TRUE2] + sums[..., c.FINAL2] - 2 * sums[..., c.PRODUCT]
    true_spread = n * sums[..., c.TRUE2] - sums[..., c.TRUE] ** 2
    final_spread = n * sums[..., c.FINAL2] - sums[..., c.FINAL] ** 2
    true_spread, final_spread = _positive(true_spread, n), _positive(final_spread, n)
    together = n * sums[..., c.PRODUCT] - sums[..., c.TRUE] * sums[..., c.FINAL]
    deviation = np.sqrt(_ratio(np.nansum([true_spread, final_spread], axis=0), 2 * n * (n - 1)))
    return {
        "mae": _ratio(sums[..., c.ABSOLUTE], n),
        "rmse": np.sqrt(np.maximum(_ratio(squared, n), 0)),
        "exact": _ratio(sums[..., c.EXACT], n),
        "adjacent": _ratio(sums[..., c.ADJACENT], n),
        "pearson": _ratio(together, np.sqrt(true_spread * final_spread)),
        "smd": _ratio(_ratio(sums[..., c.FINAL] - sums[..., c.TRUE], n), deviation),
        "low_tail_adjacent": _ratio(sums[..., c.LOW_ADJACENT], sums[..., c.LOW]),
        "high_tail_adjacent": _ratio(sums[..., c.HIGH_ADJACENT], sums[..., c.HIGH]),
    }


def overall_figures(sums: Sums) -> dict[str, FloatArray]:
    """Return each figure over all essays, each (R, runs), and `mean_qwk`, the mean over folds."""
    pooled = sums.groups.sum(axis=1)
    figures = plain_figures(to_common(pooled, sums.layout.widths))
    return {"qwk": pooled_qwk(pooled), "mean_qwk": mean_of_defined(fold_qwk(sums)), **figures}


def fold_qwk(sums: Sums) -> FloatArray:
    """Return QWK of each fold, shape (R, runs, F)."""
    return np.moveaxis(pooled_qwk(sums.groups), 1, -1)


def prompt_qwk(sums: Sums) -> FloatArray:
    """Return QWK of each prompt on its own scale, shape (R, runs, P)."""
    return np.moveaxis(qwk_of_sums(sums.prompts), 1, -1)


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
    return _ratio((taken * ordered).sum(axis=-1), taken.sum(axis=-1))


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
    mean = _ratio((drawn * values).sum(axis=-1, keepdims=True), n)
    spread = _ratio((drawn * (values - mean) ** 2).sum(axis=-1, keepdims=True), n - 1.0)
    within = _ratio((drawn * variance).sum(axis=-1, keepdims=True), n)
    between = np.maximum(np.nan_to_num(spread - within), 0)
    kept = np.nan_to_num(_ratio(between, between + variance))
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
    rows = np.diff(np.append(tables.prompt_starts, len(tables.counts)))
    weights = draws.counts / np.repeat(draws.times, rows)
    true, final, *raw = tables.values.T
    pairs, pair = np.unique(np.column_stack([true, final]), axis=0, return_inverse=True)
    held = _held(weights, pair)
    true_ranks, final_ranks = (midranks(held, column) for column in pairs.T)
    figures = {"spearman": weighted_pearson(held, true_ranks, final_ranks)}
    for values in raw:
        figures["pearson_raw"] = weighted_pearson(weights, true, values)
        ranks = midranks(weights, values)
        figures["spearman_raw"] = weighted_pearson(weights, true_ranks[:, pair], ranks)
    return figures


def midranks(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return ranks (R, u), less a half, of values (u,) that count `weights` (R, u) times each."""
    _, category = np.unique(values, return_inverse=True)
    held = _held(weights, category)
    return np.asarray((np.cumsum(held, axis=1) - held / 2)[:, category])


def weighted_pearson(weights: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Pearson's r of x and y, each (u,) or (R, u), under each row of weights: (R,)."""
    n, weighted_x, weighted_y = weights.sum(axis=1), weights * x, weights * y
    sum_x, sum_y = weighted_x.sum(axis=1), weighted_y.sum(axis=1)
    x, y = np.broadcast_to(x, weights.shape), np.broadcast_to(y, weights.shape)
    spread_x = _positive(n * np.einsum("ru,ru->r", weighted_x, x) - sum_x**2, n)
    spread_y = _positive(n * np.einsum("ru,ru->r", weighted_y, y) - sum_y**2, n)
    together = n * np.einsum("ru,ru->r", weighted_x, y) - sum_x * sum_y
    return _ratio(together, np.sqrt(spread_x * spread_y))


def _held(weights: FloatArray, category: IntArray) -> FloatArray:
    """Return the weights (R, u) summed by category, (R, categories)."""
    order = np.argsort(category, kind="stable")
    starts = np.searchsorted(category[order], np.arange(category.max() + 1))
    return np.asarray(np.add.reduceat(weights[:, order], starts, axis=1))


def _positive(spread: FloatArray, n: FloatArray) -> FloatArray:
    """Return spreads, NaN where they are zero but for rounding."""
    return np.where(spread > 1e-9 * n * n, spread, np.nan)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part / whole, NaN where the whole is zero: a missing figure is never 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole == 0, np.nan, part / np.where(whole == 0, np.nan, whole))
