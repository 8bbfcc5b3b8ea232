"""How far an essay is from the training essays, in the space that the scorer reads it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.linear import Standardiser, fit_standardiser

NEIGHBOURS = 5
_UNUSUAL = 0.99


@dataclass(frozen=True, eq=False)
class DistanceFlag:
    """Training essays as standardised vectors (m, p), and the distance 99% of them stay within.

    An essay's distance is that to its fifth-nearest training essay (Sun et al. 2022). What is
    usual was measured between essays of different prompts, since new essays bring new prompts.
    """

    standardiser: Standardiser
    reference: Matrix
    farthest: float

    def is_far(self, vectors: Matrix) -> bool:
        """Tell whether one essay's vector, (1, p), is farther than training essays are."""
        scaled = self.standardiser.apply(vectors).astype(np.float32)
        return float(_nearest(scaled, self.reference)[0]) > self.farthest


def learn_distance(vectors: Matrix, prompts: Sequence[str]) -> DistanceFlag:
    """Return the flag that training essays' vectors (m, p) teach."""
    standardiser = fit_standardiser(vectors)
    scaled = standardiser.apply(vectors).astype(np.float32)
    numbers = np.unique(np.asarray(prompts), return_inverse=True)[1]
    distances = np.zeros(len(scaled))
    for number in range(int(numbers.max()) + 1):
        mine = numbers == number
        distances[mine] = _nearest(scaled[mine], scaled[mine if mine.all() else ~mine])
    farthest = float(np.quantile(distances, _UNUSUAL, method="higher"))
    return DistanceFlag(standardiser, scaled, farthest)


def _nearest(vectors: Matrix, reference: Matrix) -> FloatArray:
    """Return each vector's distance to its NEIGHBOURS-th nearest reference, shape (n,)."""
    squares = (vectors**2).sum(axis=1)[:, None] - 2.0 * (vectors @ reference.T)
    squares += (reference**2).sum(axis=1)
    place = min(NEIGHBOURS, len(reference)) - 1
    nearest = np.partition(squares, place, axis=1)[:, place].astype(np.float64)
    return np.sqrt(np.maximum(nearest, 0.0))
