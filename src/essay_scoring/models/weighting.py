"""Training weights of essays, from the training labels alone."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.models.settings import TrainingSettings


def weights_of(bands: IntArray, training: TrainingSettings) -> FloatArray:
    """Return one weight per essay, shape (n,), from the score bands of the training essays.

    `none` weighs all essays 1. `sqrt_inv_freq` weighs an essay of band b by
    min(cap, sqrt(median count / count of b)), the median over the bands that are present.
    """
    if training.weighting == "none" or not len(bands):
        return np.ones(len(bands), dtype=np.float64)
    _, band_of_essay, counts = np.unique(bands, return_inverse=True, return_counts=True)
    weights = np.sqrt(np.median(counts) / counts)
    return np.minimum(training.weight_cap, weights)[band_of_essay]
