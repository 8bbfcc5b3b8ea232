"""True-score evaluation: how well a machine predicts what raters would agree on in the long run.

The formulas are those of Loukina et al. (2020) as RSMTool publishes them (derived by M. Johnson),
which allow that some essays have more ratings than others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.core.scale import FloatArray

N_COLUMNS = 7
"""What is summed for an essay: 1 if it is rated, its ratings c and c^2, c h and c h^2 of their mean
h, their squares about h, and c (h - m)^2 of the system's score m."""


@dataclass(frozen=True, eq=False)
class TrueScores:
    """Variance of raters' errors and of true scores, MSE against true scores, and PRMSE: (...)."""

    error_variance: FloatArray
    true_variance: FloatArray
    mse: FloatArray
    prmse: FloatArray


def true_scores(weights: FloatArray, system: FloatArray, ratings: FloatArray) -> TrueScores:
    """Return the evaluation of system scores (n,) against ratings (n, k), NaN where none was given.

    Essay i counts `weights` (R, n) times; every figure is (R,), as `of_sums` defines it.
    """
    return of_sums(weights @ rating_columns(system, ratings))


def rating_columns(system: FloatArray, ratings: FloatArray) -> FloatArray:
    """Return what `of_sums` sums, (n, N_COLUMNS); zeros for an essay without a rating.

    Scores are counted from the mean rating: a shift costs no sum of squares and saves digits.
    """
    known = np.isfinite(ratings)
    count = known.sum(axis=1).astype(np.float64)
    given = np.where(known, ratings, 0.0)
    human = given.sum(axis=1) / np.maximum(count, 1)
    within = (np.where(known, ratings - human[:, None], 0.0) ** 2).sum(axis=1)
    away = human - given.sum() / max(1.0, count.sum())
    error = count * (human - system) ** 2
    rated = (count > 0).astype(np.float64)
    return np.column_stack([rated, count, count**2, count * away, count * away**2, within, error])


def of_sums(sums: FloatArray) -> TrueScores:
    """Return the evaluation from sums (..., N_COLUMNS) of `rating_columns`, each figure (...).

    Over N rated essays with c_i ratings of mean h_i, M = sum c_i in all:
    V_e = sum S_i / sum (c_i - 1), S_i the squares of an essay's ratings about h_i;
    V_T = (sum c_i (h_i - h)^2 - (N - 1) V_e) / (M - sum c_i^2 / M), h the mean of all ratings;
    MSE = (sum c_i (h_i - m_i)^2 - N V_e) / M; PRMSE = 1 - MSE / V_T.
    NaN where no essay has two ratings, or without true variance.
    """
    n, total, squared_counts, first, second, within, error = np.moveaxis(sums, -1, 0)
    doubles = total - n
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = np.where(doubles > 0, within / doubles, np.nan)
        about = second - first**2 / total
        variance = (about - (n - 1) * noise) / (total - squared_counts / total)
        mse = (error - n * noise) / total
        prmse = np.where(variance > 0, 1 - mse / variance, np.nan)
    return TrueScores(noise, variance, mse, np.asarray(prmse))
