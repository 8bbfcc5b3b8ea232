"""Cut-points of many weightings at once, against the exact ones of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.models.mapping import fit_cutpoints
from essay_scoring.statistics.cutpoints import SHRINKAGE, best_splits, shrunken
from essay_scoring.statistics.metrics import qwk


def prefix_sums(true: IntArray, weights: FloatArray) -> list[FloatArray]:
    """Return weighted sums of 1, y, y^2 over the first v essays, each (R, n + 1)."""
    zero = np.zeros((len(weights), 1))
    parts = [np.cumsum(weights * true**power, axis=1) for power in range(3)]
    return [np.concatenate([zero, part], axis=1) for part in parts]


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.sampled_from([0.1, 0.6, 3.0]))
@settings(max_examples=60, deadline=None)
def test_they_agree_as_well_as_the_exact_ones(seed: int, n_labels: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    true = rng.integers(0, n_labels, n)
    raw = true + noise * rng.normal(size=n)
    order = np.argsort(raw)
    true, raw = true[order], raw[order]
    times = rng.integers(0, 3, (4, n))
    times[0] = 1
    times[times.sum(axis=1) == 0] = 1
    n_essays, total, squares = prefix_sums(true, times.astype(np.float64))
    splits = best_splits(n_essays, total, squares, n_labels, raw)
    for row, count in zip(splits, times, strict=True):
        label = np.searchsorted(row[1:-1], np.arange(n), side="right")
        truth, mine = np.repeat(true, count), np.repeat(label, count)
        cuts = fit_cutpoints(np.repeat(raw, count), truth, n_labels)
        best = np.searchsorted(cuts, np.repeat(raw, count), side="right")
        found, exact = qwk(truth, mine, n_labels), qwk(truth, best, n_labels)
        assert (found is None) == (exact is None)
        if exact is not None:
            assert found == pytest.approx(exact, abs=1e-9)


def test_thresholds_go_a_quarter_of_the_way_to_those_of_rounding() -> None:
    labels = np.array([1.0, 2.0, 3.0, 4.0])
    found = shrunken(np.array([1.7, 2.5, 9.0]), labels)
    # The last label is not used: its threshold counts as half a step beyond the scale, 4.5.
    assert found.tolist() == pytest.approx([1.65, 2.5, 4.25])
    assert SHRINKAGE == 0.25
    assert shrunken(np.array([-7.0, -7.0, -7.0]), labels).tolist() == [0.75, 1.0, 1.25]


def test_no_essay_weighs_nothing_and_breaks_nothing() -> None:
    none = np.zeros((1, 4))
    splits = best_splits(none, none, none, 3, np.arange(3.0))
    assert splits.shape == (1, 4)
    assert (np.diff(splits) >= 0).all()
