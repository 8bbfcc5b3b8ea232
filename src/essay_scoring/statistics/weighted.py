"""Statistics of essays that count more or less than once: of the data, and of every resample.

`weights` has shape (R, n), a row a resample; a row of ones is the data as they are. Every function
returns (R,) unless it says otherwise, NaN where a figure has no meaning.
"""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics import moments as m
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.moments import Moments, moments, ratio

_SINGULAR = 1e-10


def mean(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the mean of values (n,)."""
    return ratio(weights @ values, weights.sum(axis=1))


def deviation(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the sample deviation (n - 1) of values (n,); NaN without spread."""
    return m.deviation(moments(weights, values, values))


def pearson(weights: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Pearson's r of x and y, both (n,) or both (R, n)."""
    return m.pearson(moments(weights, x, y))


def spearman(weights: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Spearman's rank correlation of x and y, each (n,); ties share their mean rank."""
    return pearson(weights, midranks(weights, x), midranks(weights, y))


def midranks(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return ranks (R, n), less a half, of values (n,) that count `weights` (R, n) times each."""
    _, category = np.unique(values, return_inverse=True)
    held = summed_by(category, weights)
    return np.asarray((np.cumsum(held, axis=1) - held / 2)[:, category])


def summed_by(category: IntArray, weights: FloatArray) -> FloatArray:
    """Return the weights (R, n) summed by category (n,), (R, categories)."""
    order = np.argsort(category, kind="stable")
    starts = np.searchsorted(category[order], np.arange(category.max(initial=-1) + 1))
    return np.asarray(np.add.reduceat(weights[:, order], starts, axis=1))


def partial_correlation(
    weights: FloatArray, x: FloatArray, y: FloatArray, given: FloatArray
) -> FloatArray:
    """Return the correlation of x and y with what `given` says linearly of both taken out."""
    xy = pearson(weights, x, y)
    xg, yg = pearson(weights, x, given), pearson(weights, y, given)
    rest = (1 - xg**2) * (1 - yg**2)
    return ratio(xy - xg * yg, np.sqrt(np.where(rest > 1e-12, rest, 0.0)))


def smd(weights: FloatArray, true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return (mean(M) - mean(H)) / SD(H), RSMTool's SMD."""
    return m.smd_in_deviations_of_x(moments(weights, true, predicted))


def pooled_smd(weights: FloatArray, true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return (mean(M) - mean(H)) / root of the mean variance (Williamson, Xi and Breyer 2012)."""
    return m.smd(moments(weights, true, predicted))


def standardised_means_difference(
    weights: FloatArray, true: FloatArray, predicted: FloatArray, members: Mask
) -> FloatArray:
    """Return DSM of `members` (n,): their mean of z(M) - z(H), each side standardised over all."""
    held = weights * members
    machine, human = (
        ratio(mean(held, side) - mean(weights, side), deviation(weights, side))
        for side in (predicted, true)
    )
    return machine - human


def qwk(weights: FloatArray, true: FloatArray, final: FloatArray, scale_of: IntArray) -> FloatArray:
    """Return QWK of label positions (n,); over several scales their mean weighted by essays."""
    rows = [scale_of == scale for scale in np.unique(scale_of)]
    parts = [moments(weights[:, at], true[at], final[at]) for at in rows]
    return m.pooled_qwk(Moments(*map(np.stack, zip(*parts, strict=True))), axis=0)


def ac2(
    weights: FloatArray, true: IntArray, final: IntArray, scale_of: IntArray, sizes: IntArray
) -> FloatArray:
    """Return AC2 of label positions (n,), scale s having `sizes[s]` labels; pooled as QWK is."""
    values, totals = [], []
    for scale in np.unique(scale_of):
        at = np.flatnonzero(scale_of == scale)
        held, sides = weights[:, at], np.stack([true[at], final[at]])
        both = np.concatenate([np.arange(sizes[scale]), sides.ravel()])  # Every label is there.
        none = np.zeros((len(weights), sizes[scale]))
        labels = summed_by(both, np.column_stack([none, held, held]))
        sums = moments(held, *sides.astype(np.float64))
        values.append(m.ac2(sums, labels))
        totals.append(sums.n)
    return m.pooled(np.stack(values), np.stack(totals), axis=0)


def continuous_qwk(weights: FloatArray, true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return QWK of scores that need not be whole steps, with variances by n as `rsmeval` has."""
    return m.qwk(moments(weights, true, predicted))


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
