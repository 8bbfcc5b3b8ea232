"""True-score evaluation: how well a machine predicts what raters would agree on in the long run.

The formulas are those of Loukina et al. (2020) as RSMTool publishes them (derived by M. Johnson),
which allow that some essays have more ratings than others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.core.scale import FloatArray


@dataclass(frozen=True, eq=False)
class TrueScores:
    """Variance of raters' errors and of true scores, MSE against true scores, and PRMSE: (R,)."""

    error_variance: FloatArray
    true_variance: FloatArray
    mse: FloatArray
    prmse: FloatArray


def true_scores(weights: FloatArray, system: FloatArray, ratings: FloatArray) -> TrueScores:
    """Return the evaluation of system scores (n,) against ratings (n, k), NaN where none was given.

    Essay i counts `weights` (R, n) times and has c_i ratings of mean h_i; N = sum w, M = sum w c:
    V_e = sum w S_i / sum w (c_i - 1), S_i the squares of its ratings about h_i;
    V_T = (sum w c_i (h_i - h)^2 - (N - 1) V_e) / (M - sum w c_i^2 / M), h the mean of all ratings;
    MSE = (sum w c_i (h_i - m_i)^2 - N V_e) / M; PRMSE = 1 - MSE / V_T.
    Essays without a rating are left out. NaN where no essay has two, or without true variance.
    """
    count = np.isfinite(ratings).sum(axis=1).astype(np.float64)
    given = np.where(np.isfinite(ratings), ratings, 0.0)
    human = given.sum(axis=1) / np.maximum(count, 1)
    within = (np.where(np.isfinite(ratings), ratings - human[:, None], 0.0) ** 2).sum(axis=1)
    weights = weights * (count > 0)
    n, total = weights.sum(axis=1), weights @ count
    doubles = weights @ np.maximum(count - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(doubles > 0, (weights @ within) / doubles, np.nan)
        grand = (weights @ (count * human)) / total
        centre = human.mean()  # A shift costs no sum of squares and saves digits.
        about = weights @ (count * (human - centre) ** 2) - total * (grand - centre) ** 2
        variance = (about - (n - 1) * error) / (total - (weights @ count**2) / total)
        mse = (weights @ (count * (human - system) ** 2) - n * error) / total
        prmse = np.where(variance > 0, 1 - mse / variance, np.nan)
    return TrueScores(error, variance, mse, np.asarray(prmse))
