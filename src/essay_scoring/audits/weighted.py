"""Statistics of essays that count more or less than once: of the data, and of every resample.

`weights` has shape (R, n), a row a resample; a row of ones is the data as they are. Every function
returns (R,) unless it says otherwise, NaN where a figure has no meaning.
"""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.figures import midranks, weighted_pearson

FLAT = 1e-14
"""Variances up to this are none: the square of RSMTool's tolerance for constant scores."""

_SINGULAR = 1e-10


def mean(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the mean of values (n,)."""
    return _ratio(weights @ values, weights.sum(axis=1))


def covariance(weights: FloatArray, x: FloatArray, y: FloatArray, *, ddof: int = 0) -> FloatArray:
    """Return the covariance of x and y, each (n,), over the essays less `ddof`."""
    x, y = x - x.mean(), y - y.mean()  # A shift costs no covariance and saves digits.
    n = weights.sum(axis=1)
    about = weights @ (x * y) - _ratio((weights @ x) * (weights @ y), n)
    return _ratio(about, np.where(n > ddof, n - ddof, 0.0))


def deviation(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the sample deviation (n - 1) of values (n,); NaN without spread."""
    spread = covariance(weights, values, values, ddof=1)
    return np.sqrt(np.where(spread > FLAT, spread, np.nan))


def pearson(weights: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Pearson's r of x and y, each (n,)."""
    return weighted_pearson(weights, x - x.mean(), y - y.mean())


def spearman(weights: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Spearman's rank correlation of x and y, each (n,); ties share their mean rank."""
    return weighted_pearson(weights, midranks(weights, x), midranks(weights, y))


def partial_correlation(
    weights: FloatArray, x: FloatArray, y: FloatArray, given: FloatArray
) -> FloatArray:
    """Return the correlation of x and y with what `given` says linearly of both taken out."""
    xy = pearson(weights, x, y)
    xg, yg = pearson(weights, x, given), pearson(weights, y, given)
    rest = (1 - xg**2) * (1 - yg**2)
    return _ratio(xy - xg * yg, np.sqrt(np.where(rest > 1e-12, rest, 0.0)))


def smd(weights: FloatArray, true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return (mean(M) - mean(H)) / SD(H), as `evaluation.rsm.smd_in_human_deviations`."""
    difference = mean(weights, predicted) - mean(weights, true)
    return _ratio(difference, deviation(weights, true))


def pooled_smd(weights: FloatArray, true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return (mean(M) - mean(H)) / root of the mean variance (Williamson, Xi and Breyer 2012)."""
    both = sum(covariance(weights, side, side, ddof=1) for side in (true, predicted))
    spread = np.asarray(both) / 2
    pooled = np.sqrt(np.where(spread > FLAT, spread, np.nan))
    return _ratio(mean(weights, predicted) - mean(weights, true), pooled)


def standardised_means_difference(
    weights: FloatArray, true: FloatArray, predicted: FloatArray, members: Mask
) -> FloatArray:
    """Return DSM of `members` (n,): their mean of z(M) - z(H), each side standardised over all."""
    held = weights * members
    machine, human = (
        _ratio(mean(held, side) - mean(weights, side), deviation(weights, side))
        for side in (predicted, true)
    )
    return machine - human


def qwk(weights: FloatArray, true: FloatArray, final: FloatArray, scale_of: IntArray) -> FloatArray:
    """Return QWK of label positions; over several scales their mean weighted by essays.

    On one scale it is 2 Cov(H, M) / (Var(H) + Var(M) + (mean(M) - mean(H))^2) (Haberman 2019).
    Scales without a defined QWK are left out.
    """
    total, essays = np.zeros(len(weights)), np.zeros(len(weights))
    for scale in np.unique(scale_of):
        held = weights * (scale_of == scale)
        away = (mean(held, final) - mean(held, true)) ** 2
        spread = covariance(held, true, true) + covariance(held, final, final) + away
        kappa = _ratio(2 * covariance(held, true, final), np.where(spread > FLAT, spread, 0.0))
        n = np.where(np.isnan(kappa), 0.0, held.sum(axis=1))
        total, essays = total + np.nan_to_num(kappa) * n, essays + n
    return _ratio(total, essays)


def regression(weights: FloatArray, design: FloatArray, outcomes: FloatArray) -> FloatArray:
    """Return least-squares coefficients (R, p, q) of outcomes (n, q) on a design (n, p).

    NaN for a resample in which a column of the design says nothing of its own.
    """
    p, q = design.shape[1], outcomes.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    gram = (weights @ products).reshape(-1, p, p)
    moments = (design[:, :, None] * outcomes[:, None, :]).reshape(len(design), -1)
    right = (weights @ moments).reshape(-1, p, q)
    size = np.sqrt(np.maximum(np.einsum("rii->ri", gram), 0))
    scaled = gram / np.where(size > 0, size, 1)[:, :, None] / np.where(size > 0, size, 1)[:, None]
    singular = np.abs(np.linalg.det(scaled)) < _SINGULAR
    gram = np.where(singular[:, None, None], np.eye(p), gram)
    return np.where(singular[:, None, None], np.nan, np.linalg.solve(gram, right))


def share(weights: FloatArray, marks: Mask) -> FloatArray:
    """Return the share of the essays that are marked, (n,)."""
    return mean(weights, marks.astype(np.float64))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part / whole, NaN where the whole is zero: a missing figure is never 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole == 0, np.nan, part / np.where(whole == 0, np.nan, whole)))
