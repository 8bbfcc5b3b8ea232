"""Figures of the data as they are, every weight one; None where a figure has no meaning."""

from __future__ import annotations

import math

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics import moments as m
from essay_scoring.statistics import weighted


def confusion(true: IntArray, predicted: IntArray, n_labels: int) -> IntArray:
    """Return counts, shape (n_labels, n_labels): rows are the true labels' positions."""
    cells = np.bincount(true * n_labels + predicted, minlength=n_labels * n_labels)
    return cells.reshape(n_labels, n_labels).astype(np.int64)


def qwk_of_counts(counts: FloatArray | IntArray) -> FloatArray:
    """Return QWK of confusion counts, shape (..., k, k) to (...); NaN where it is undefined."""
    return m.qwk(m.moments_of_counts(counts))


def qwk(true: IntArray, predicted: IntArray, n_labels: int) -> float | None:
    """Return QWK of label positions over the full list of `n_labels`; None where undefined."""
    return finite_or_none(float(qwk_of_counts(confusion(true, predicted, n_labels))))


def pearson(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return Pearson's r; None for fewer than two essays or a constant side."""
    return finite_or_none(float(weighted.pearson(once(len(true)), true, predicted)[0]))


def spearman(true: FloatArray, predicted: FloatArray) -> float | None:
    """Return Spearman's rank correlation (ties share their mean rank); None as `pearson`."""
    return finite_or_none(float(weighted.spearman(once(len(true)), true, predicted)[0]))


def once(n: int) -> FloatArray:
    """Return the weights (1, n) of the data as they are."""
    return np.ones((1, n))


def finite_or_none(value: float) -> float | None:
    """Return the value, or None for NaN and infinity, so that a missing figure stays missing."""
    return value if math.isfinite(value) else None
