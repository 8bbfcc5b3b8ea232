"""Agreement of two sides from weighted sums over essays: QWK, SMD, correlation, covariance.

Each formula stands here once. The sums may be of single essays or of cells of a table, weighted by
a resample or by ones: a figure of the data is that of the resample with every weight one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray

FLAT = 1e-14
"""Variances up to this are none: the square of RSMTool's tolerance for constant scores."""

_ROUNDING = 1e-10
"""The share of a sum of squares up to which a spread is none but for rounding."""


class Moments(NamedTuple):
    """Sums of weights, x, y, x^2, y^2 and xy, all of one shape (...).

    `apart` says how much higher than x's the zero lies from which y is counted.
    """

    n: FloatArray
    x: FloatArray
    y: FloatArray
    xx: FloatArray
    yy: FloatArray
    xy: FloatArray
    apart: FloatArray | float = 0.0


def moments(weights: FloatArray, x: FloatArray, y: FloatArray) -> Moments:
    """Return the sums under each row of weights (R, u) of x and y, both (u,) or both (R, u)."""
    if x.ndim == 1:
        near_x, near_y = _typical(x), _typical(y)
        x, y = x - near_x, y - near_y  # Costs no spread and saves digits.
        columns = moment_columns(x, y)
        n, sum_x, sum_y, xx, yy, xy = (weights @ columns).T
        return Moments(n, sum_x, sum_y, xx, yy, xy, np.full(len(weights), near_y - near_x))
    of_x, of_y = weights * x, weights * y
    xx, yy, xy = (np.einsum("ru,ru->r", *pair) for pair in ((of_x, x), (of_y, y), (of_x, y)))
    return Moments(weights.sum(axis=1), of_x.sum(axis=1), of_y.sum(axis=1), xx, yy, xy)


def moment_columns(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return what `Moments` sums of each essay but for its weight, (u, 6)."""
    return np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])


def moments_of_counts(counts: FloatArray | IntArray) -> Moments:
    """Return the sums of label positions of confusion counts, (..., k, k) to (...)."""
    counts = np.asarray(counts, dtype=np.float64)
    label = np.arange(counts.shape[-1], dtype=np.float64)
    true, final = counts.sum(axis=-1), counts.sum(axis=-2)
    both = (counts @ label) @ label
    return Moments(
        true.sum(axis=-1), true @ label, final @ label, true @ label**2, final @ label**2, both
    )


def covariance(m: Moments, *, ddof: int = 0) -> FloatArray:
    """Return the covariance of x and y over the essays less `ddof`."""
    return ratio(m.n * m.xy - m.x * m.y, _pairs(m.n, ddof))


def deviation(m: Moments) -> FloatArray:
    """Return the sample deviation (n - 1) of x; NaN without spread."""
    return _root(ratio(_spread_x(m), _pairs(m.n, 1)))


def pearson(m: Moments) -> FloatArray:
    """Return Pearson's r; NaN where a side is constant."""
    spread = _spread_x(m) * _spread_y(m)
    return np.clip(ratio(m.n * m.xy - m.x * m.y, _root(spread)), -1, 1)


def qwk(m: Moments) -> FloatArray:
    """Return quadratic weighted kappa (Cohen 1968); NaN where both sides are the same constant.

    2 Cov(x, y) / (Var(x) + Var(y) + (mean(y) - mean(x))^2) (Haberman 2019), which is 1 - observed /
    expected disagreement by squares of label positions: the full label list counts, as a band
    left out would shrink distances.
    """
    away = (m.y - m.x + m.apart * m.n) ** 2
    spread = np.where(m.n > 0, _spread_x(m) + _spread_y(m) + away, np.nan)
    return ratio(2 * (m.n * m.xy - m.x * m.y), spread)


def pooled_qwk(m: Moments, axis: int) -> FloatArray:
    """Return QWK of essays of several scales, which lie along `axis`: see `pooled`."""
    return pooled(qwk(m), m.n, axis)


def pooled(values: FloatArray, n: FloatArray, axis: int) -> FloatArray:
    """Return the mean of each scale's value, along `axis`, weighted by its `n` essays.

    A label means nothing on another scale. Scales whose value is undefined are left out.
    """
    n = np.where(np.isnan(values), 0.0, n)
    return ratio((np.nan_to_num(values) * n).sum(axis=axis), n.sum(axis=axis))


def ac2(m: Moments, labels: FloatArray) -> FloatArray:
    """Return Gwet's AC2 with quadratic weights; NaN without essays.

    `m` are sums (...) of label positions, `labels` (..., k) how often both sides together gave each
    of a scale's k labels. Agreement weighs w = 1 - (i - j)^2 / (k - 1)^2; AC2 = (observed - chance)
    / (1 - chance), chance = mean(w) k / (k - 1) sum p (1 - p), p the labels' shares (Gwet 2014,
    Handbook of Inter-Rater Reliability). Unlike QWK it stays near observed agreement where almost
    all essays have one label.
    """
    k = labels.shape[-1]
    distance = m.yy + m.xx - 2 * m.xy + m.apart * (2 * (m.y - m.x) + m.apart * m.n)
    observed = 1 - ratio(distance, m.n) / (k - 1) ** 2
    shares = ratio(labels, 2 * m.n[..., None])
    mean_weight = 1 - (k + 1) / (6 * (k - 1))
    chance = mean_weight * k / (k - 1) * (shares * (1 - shares)).sum(axis=-1)
    return ratio(observed - chance, 1 - chance)


def smd(m: Moments) -> FloatArray:
    """Return (mean(y) - mean(x)) / the root of the mean of both sample variances.

    The pooled deviation is that of Williamson, Xi and Breyer (2012). NaN without spread.
    """
    return _standardised(m, (_spread_x(m) + _spread_y(m)) / 2)


def smd_in_deviations_of_x(m: Moments) -> FloatArray:
    """Return (mean(y) - mean(x)) / sample deviation of x, RSMTool's SMD; NaN without spread."""
    return _standardised(m, _spread_x(m))


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part / whole, NaN where the whole is zero: a missing figure is never 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole == 0, np.nan, part / np.where(whole == 0, np.nan, whole)))


def _standardised(m: Moments, spread: FloatArray) -> FloatArray:
    """Return the difference of means over the deviation that n^2 times a variance stands for."""
    return ratio(ratio(m.y - m.x, m.n) + m.apart, _root(ratio(spread, _pairs(m.n, 1))))


def _pairs(n: FloatArray, ddof: int) -> FloatArray:
    """Return n (n - ddof), what divides n^2 times a variance; 0 for too few essays."""
    return np.where(n > ddof, n * (n - ddof), 0.0)


def _spread_x(m: Moments) -> FloatArray:
    """Return n^2 times the variance of x."""
    return _spread(m.n, m.x, m.xx)


def _spread_y(m: Moments) -> FloatArray:
    """Return n^2 times the variance of y."""
    return _spread(m.n, m.y, m.yy)


def _spread(n: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Return n^2 times a variance, exactly 0 where it is none but for rounding."""
    spread = n * squares - total**2
    noise = np.maximum(_ROUNDING * n * squares, FLAT * n**2)
    return np.where(spread > noise, spread, 0.0)


def _root(values: FloatArray) -> FloatArray:
    """Return square roots, NaN of zero."""
    return np.sqrt(np.where(values > 0, values, np.nan))


def _typical(values: FloatArray) -> float:
    """Return the value nearest the mean: sums of whole numbers about it stay exact."""
    if not len(values):
        return 0.0
    return float(values[np.argmin(np.abs(values - values.mean()))])
