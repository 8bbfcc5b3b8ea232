"""Cut-points of the highest QWK for many weightings of the same predictions at once.

QWK = 1 - A / B, observed over expected disagreement. For a given ratio r of the two, the essays up
to a value v belong below label j + 1 rather than at it where the sum of 2 y - a_j over them, with
a_j = (2 j + 1) (1 - r) + 2 r mean(y), is smallest: y is an essay's true position. a_j rises with j
where r < 1, and with it the place of the minimum, so that each threshold is found alone and they
come out in order. r is then set to the ratio reached, until it no longer falls (Dinkelbach 1967).

Such thresholds lie apart from those of rounding, since QWK asks for a spread as wide as that of the
scores, and each is known from few essays. `shrunken` takes them a part of the way back.
"""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray

SHRINKAGE = 0.25
"""How much of the way to the thresholds of rounding shrunken ones go."""

_STEPS = 50
_STILL = 1e-12


def shrunken(cutpoints: FloatArray, labels: FloatArray) -> FloatArray:
    """Return thresholds (..., K - 1) between the K labels, moved towards those of rounding.

    Those beyond the scale count as half a step beyond its ends.
    """
    half = (labels[1] - labels[0]) / 2
    inside = np.clip(cutpoints, labels[0] - half, labels[-1] + half)
    return inside + SHRINKAGE * ((labels[1:] + labels[:-1]) / 2 - inside)


def best_splits(
    n: FloatArray,
    total: FloatArray,
    squares: FloatArray,
    n_labels: int,
    values: FloatArray,
    shrunken_to: FloatArray | None = None,
) -> IntArray:
    """Return where each label begins and the last ends, (R, n_labels + 1), of highest QWK.

    `n`, `total`, `squares` (R, V + 1) are weighted sums of 1, y and y^2 over the lowest v of the V
    ascending `values`; label j then takes values splits[j] .. splits[j + 1] - 1. A threshold lies
    midway between the two values with essays that it parts, so that values without any fall on the
    nearer side. Where no thresholds beat chance, all values get the label of least squared error.
    `shrunken_to` are the labels (n_labels,) to which the thresholds are then `shrunken`.
    """
    label = np.arange(n_labels, dtype=np.float64)
    essays = n[:, -1:]
    mean = total[:, -1:] / np.where(essays > 0, essays, 1.0)
    # n times the expected squared distance of an essay's true position from each label.
    expected = label**2 * essays - 2 * label * total[:, -1:] + squares[:, -1:]
    best = _one_label(expected, len(values))
    ratio = np.ones(len(n))
    rows = np.flatnonzero(expected.min(axis=1) > 0)
    for step in range(_STEPS):
        if not len(rows):
            break
        # The first try is a scorer halfway between chance and the truth.
        r = ratio[rows, None] if step else np.full((len(rows), 1), 0.5)
        splits = best[rows]
        splits[:, 0] = 0
        of_rows = tuple(sums[rows] for sums in (n, total, squares, expected, essays))
        twice, scratch = 2 * of_rows[1], np.empty_like(of_rows[0])
        for j in range(n_labels - 1):
            at = (2 * j + 1) * (1 - r) + 2 * r * mean[rows]
            np.subtract(twice, np.multiply(at, of_rows[0], out=scratch), out=scratch)
            splits[:, j + 1] = scratch.argmin(axis=1)
        reached = _ratio(splits, *of_rows)
        better = reached < ratio[rows] - _STILL
        best[rows[better]], ratio[rows[better]] = splits[better], reached[better]
        rows = rows[better] if step else rows
    thresholds = _thresholds(best, n, values)
    if shrunken_to is not None:
        thresholds = shrunken(thresholds, shrunken_to)
    best[:, 1:-1] = np.searchsorted(values, thresholds)
    return best


def _thresholds(splits: IntArray, n: FloatArray, values: FloatArray) -> FloatArray:
    """Return thresholds in the middle of the gaps that splits lie in, infinite beyond all values.

    Shape (R, n_labels - 1). A gap is as wide as the values in it that have no essays.
    """
    ends = np.concatenate([values[:1] - 1, values, values[-1:] + 1])
    out = np.empty((len(splits), splits.shape[1] - 2))
    for j in range(1, splits.shape[1] - 1):
        first = splits[:, j]
        last = (n <= n[np.arange(len(n)), first, None]).sum(axis=1) - 1
        middle = (ends[first] + ends[last + 1]) / 2
        beyond = np.where(first > 0, np.inf, -np.inf)
        out[:, j - 1] = np.where((first > 0) & (last < len(values)), middle, beyond)
    return out


def _one_label(expected: FloatArray, values: int) -> IntArray:
    """Return the splits that give all values the label of least squared error."""
    n_labels = expected.shape[1]
    at = np.argmin(expected, axis=1)
    return np.where(np.arange(n_labels + 1) <= at[:, None], 0, values)


def _ratio(
    splits: IntArray,
    n: FloatArray,
    total: FloatArray,
    squares: FloatArray,
    expected: FloatArray,
    essays: FloatArray,
) -> FloatArray:
    """Return observed over expected disagreement of labellings, (R,)."""
    label = np.arange(splits.shape[1] - 1, dtype=np.float64)
    held, sums, of_squares = (
        np.diff(np.take_along_axis(sums, splits, axis=1), axis=1) for sums in (n, total, squares)
    )
    observed = (label**2 * held - 2 * label * sums + of_squares).sum(axis=1)
    return np.asarray(essays[:, 0] * observed / (expected * held).sum(axis=1))
