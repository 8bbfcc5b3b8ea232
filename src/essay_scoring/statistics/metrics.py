"""Agreement between raters and predictions, each figure None where it has no meaning.

Quadratic weighted kappa (Cohen 1968) always uses the scale's full label list: leaving out a band
that happens to be empty shrinks the distances between the others.
"""

from __future__ import annotations

import math

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray


def confusion(true: IntArray, predicted: IntArray, n_labels: int) -> IntArray:
    """Return counts, shape (n_labels, n_labels): rows are the true labels' positions."""
    cells = np.bincount(true * n_labels + predicted, minlength=n_labels * n_labels)
    return cells.reshape(n_labels, n_labels).astype(np.int64)


def qwk_of_counts(counts: FloatArray | IntArray) -> FloatArray:
    """Return QWK of confusion counts, shape (..., k, k) to (...); NaN where it is undefined.

    1 - sum(w * observed) / sum(w * expected), w = (i - j)^2; undefined when the expected
    disagreement is zero (no essays, or both sides constant at one label).
    """
    counts = np.asarray(counts, dtype=np.float64)
    position = np.arange(counts.shape[-1], dtype=np.float64)
    weights = (position[:, None] - position[None, :]) ** 2
    total = counts.sum(axis=(-2, -1))
    true, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    observed = np.einsum("...ij,ij->...", counts, weights)
    expected = np.einsum("...i,ij,...j->...", true, weights, predicted)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1.0 - observed * total / expected, np.nan)


def qwk(true: IntArray, predicted: IntArray, n_labels: int) -> float | None:
    """Return QWK of label positions over the full list of `n_labels`; None where undefined."""
    return finite_or_none(float(qwk_of_counts(confusion(true, predicted, n_labels))))


def mean_absolute_error(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return the mean of |true - predicted|; None for no essays."""
    return float(np.abs(true - predicted).mean()) if len(true) else None


def root_mean_squared_error(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return the root of the mean squared error; None for no essays."""
    return float(np.sqrt(((true - predicted) ** 2).mean())) if len(true) else None


def share_within(errors_in_steps: FloatArray, steps: float) -> float | None:
    """Return the share of |errors| (in scale steps) of at most `steps`; None for no essays."""
    if not len(errors_in_steps):
        return None
    return float((np.abs(errors_in_steps) <= steps + 1e-9).mean())


def pearson(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return Pearson's r; None for fewer than two essays or a constant side."""
    if len(true) < 2 or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return None
    return finite_or_none(float(np.corrcoef(true, predicted)[0, 1]))


def spearman(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return Spearman's rank correlation (ties share their mean rank); None as `pearson`."""
    return pearson(mean_ranks(true), mean_ranks(predicted))


def standardised_mean_difference(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return (mean predicted - mean true) / pooled standard deviation.

    The pooled deviation is the root of the mean of both sample variances (Williamson, Xi and
    Breyer 2012). None for fewer than two essays or no spread.
    """
    if len(true) < 2:
        return None
    spread = math.sqrt((true.var(ddof=1) + predicted.var(ddof=1)) / 2)
    return float((predicted.mean() - true.mean()) / spread) if spread > 0 else None


def mean_ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1, ties sharing their mean rank, shape (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    return (last - (counts - 1) / 2)[inverse]


def finite_or_none(value: float) -> float | None:
    """Return the value, or None for NaN and infinity, so that a missing figure stays missing."""
    return value if math.isfinite(value) else None
