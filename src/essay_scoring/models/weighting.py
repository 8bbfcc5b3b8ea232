"""Training weights of essays: their own, if they have any, times those of their score bands."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.models.family_settings import TrainingSettings


def training_weights(train: ScoredEssays, training: TrainingSettings) -> FloatArray:
    """Return one weight per training essay, shape (n,): its band's, times its own if it has one.

    Their own weights have the mean 1 among these essays, so that only their ratios count.
    """
    weights = weights_of(train.bands, training)
    if train.weights is not None:
        weights = weights * (train.weights / train.weights.mean())
    return weights


def weights_of(bands: IntArray, training: TrainingSettings) -> FloatArray:
    """Return one weight per essay, shape (n,), from the score bands of the training essays.

    `none` weighs all essays 1. `sqrt_inv_freq` weighs an essay of band b by
    min(cap, (median count / count of b) ** power), the median over the bands that are present; the
    power is a half, its square root, unless `weight_power` says otherwise.
    """
    if training.weighting == "none" or not len(bands):
        return np.ones(len(bands), dtype=np.float64)
    _, band_of_essay, counts = np.unique(bands, return_inverse=True, return_counts=True)
    weights = (np.median(counts) / counts) ** training.weight_power
    return np.minimum(training.weight_cap, weights)[band_of_essay]
