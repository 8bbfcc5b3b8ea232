"""Training weights of essays, from the training labels alone."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.models.family_settings import TrainingSettings


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
