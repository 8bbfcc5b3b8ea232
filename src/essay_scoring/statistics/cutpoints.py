"""Cut-points of the highest QWK for many weightings of the same predictions at once.

QWK = 1 - A / B, observed over expected disagreement. For a given ratio r of the two, the essays up
to a value v belong below label j + 1 rather than at it where the sum of 2 y - a_j over them, with
a_j = (2 j + 1) (1 - r) + 2 r mean(y), is smallest: y is an essay's true position. a_j rises with j
where r < 1, and with it the place of the minimum, so that each threshold is found alone and they
come out in order. r is then set to the ratio reached, until it no longer falls (Dinkelbach 1967).
"""

from __future__ import annotations

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray

_STEPS = 50
_STILL = 1e-12


def best_splits(
    n: FloatArray, total: FloatArray, squares: FloatArray, n_labels: int, values: FloatArray
) -> IntArray:
    """Return where each label begins and the last ends, (R, n_labels + 1), of highest QWK.

    `n`, `total`, `squares` (R, V + 1) are weighted sums of 1, y and y^2 over the lowest v of the V
    ascending `values`; label j then takes values splits[j] .. splits[j + 1] - 1. A threshold lies
    midway between the two values with essays that it parts, so that values without any fall on the
    nearer side. Where no thresholds beat chance, all values get the label of least squared error.
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
    return _midway(best, n, values)


def _midway(splits: IntArray, n: FloatArray, values: FloatArray) -> IntArray:
    """Return splits moved among values without essays to the middle of the gap."""
    ends = np.concatenate([values[:1] - 1, values, values[-1:] + 1])
    out = splits.copy()
    for j in range(1, splits.shape[1] - 1):
        first = splits[:, j]
        last = (n <= n[np.arange(len(n)), first, None]).sum(axis=1) - 1
        middle = (ends[first] + ends[last + 1]) / 2
        inside = (first > 0) & (last < len(values))
        out[:, j] = np.where(inside, np.searchsorted(values, middle), np.where(first > 0, last, 0))
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
