"""Cut-points with the highest QWK there is."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale
from essay_scoring.models.mapping import apply_cutpoints, fit_cutpoints
from essay_scoring.statistics.metrics import qwk, qwk_of_counts

Case = tuple[FloatArray, IntArray, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n_labels = draw(st.integers(2, 5))
    n = draw(st.integers(1, 7))
    raw = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    true = draw(st.lists(st.integers(0, n_labels - 1), min_size=n, max_size=n))
    return np.array(raw, dtype=np.float64) / 2, np.array(true, dtype=np.int64), n_labels


def labels_of(raw: FloatArray, cutpoints: FloatArray) -> IntArray:
    return np.searchsorted(cutpoints, raw, side="right").astype(np.int64)


def best_by_trying_all(raw: FloatArray, true: IntArray, n_labels: int) -> float | None:
    """Return the highest QWK of all monotone labellings of the unique raw values."""
    values, place = np.unique(raw, return_inverse=True)
    every = combinations_with_replacement(range(n_labels), len(values))
    found = (qwk(true, np.array(labels)[place], n_labels) for labels in every)
    return max((value for value in found if value is not None), default=None)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_no_monotone_labelling_has_a_higher_qwk(case: Case) -> None:
    raw, true, n_labels = case
    cutpoints = fit_cutpoints(raw, true, n_labels)
    assert cutpoints.shape == (n_labels - 1,)
    assert np.isfinite(cutpoints).all()
    assert (np.diff(cutpoints) >= 0).all()
    reached, best = qwk(true, labels_of(raw, cutpoints), n_labels), best_by_trying_all(*case)
    if best is not None and best > 1e-12:
        assert reached == pytest.approx(best, abs=1e-12)
    else:
        assert reached is None or reached == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("n", "n_labels", "seed"), [(120, 3, 0), (120, 3, 1), (36, 4, 2)])
def test_no_thresholds_are_better_on_more_essays(n: int, n_labels: int, seed: int) -> None:
    """Every way to cut a hundred predictions in three, by counting them all."""
    rng = np.random.default_rng(seed)
    true = rng.binomial(n_labels - 1, 0.4, n)
    noisy = true + rng.normal(0, 0.8, n)
    raw, true = np.sort(noisy), true[np.argsort(noisy)]
    splits = np.array(list(combinations_with_replacement(range(n + 1), n_labels - 1)))
    below = np.zeros((n_labels, n + 1))
    below[:, 1:] = np.cumsum(true == np.arange(n_labels)[:, None], axis=1)
    ends = np.column_stack([np.zeros(len(splits), int), splits, np.full(len(splits), n)])
    counts = np.diff(below[:, ends], axis=2).transpose(1, 0, 2)
    found = qwk(true, labels_of(raw, fit_cutpoints(raw, true, n_labels)), n_labels)
    assert found == pytest.approx(float(np.nanmax(qwk_of_counts(counts))), abs=1e-12)
    assert found is not None
    assert found > 0.1


def test_it_is_never_below_rounding_and_no_threshold_can_be_moved_to_advantage() -> None:
    rng = np.random.default_rng(5)
    scale = ScoreScale(low=1, high=5, step=0.5)
    true = np.clip(np.round(rng.normal(4, 1.4, 400)), 0, 8).astype(np.int64)
    raw = 3 + 0.4 * (0.5 * (true - 4) + rng.normal(0, 0.7, 400))
    cutpoints = fit_cutpoints(raw, true, 9)
    reached = qwk(true, labels_of(raw, cutpoints), 9)
    rounded = qwk(true, scale.index(raw), 9)
    assert reached is not None
    assert rounded is not None
    assert reached > rounded + 0.05  # predictions that shrink to the mean: the cut-points' reason
    for moved in range(8):
        for to in rng.uniform(raw.min(), raw.max(), 40):
            other = cutpoints.copy()
            other[moved] = to
            found = qwk(true, labels_of(raw, np.sort(other)), 9)
            assert found is None or found <= reached + 1e-12


def test_thresholds_lie_midway_and_unused_labels_lie_beyond_or_coincide() -> None:
    raw = np.array([1.0, 2.0, 3.0, 4.0])
    # Label 1 starts midway between 2 and 3; label 2 is unused: 4 plus the range, 3.
    np.testing.assert_array_equal(fit_cutpoints(raw, np.array([0, 0, 1, 1]), 3), [2.5, 7.0])
    # Labels 1 and 2 are unused in the middle.
    np.testing.assert_array_equal(fit_cutpoints(raw, np.array([0, 0, 3, 3]), 4), [2.5, 2.5, 2.5])
    # Label 0 is unused: 1 minus the range, 3.
    np.testing.assert_array_equal(fit_cutpoints(raw, np.array([1, 1, 2, 2]), 3), [-2.0, 2.5])


def test_the_full_label_list_sets_the_distances() -> None:
    # With a missing label in the middle 0 and 2 are two steps apart, four times as costly as one.
    # raw 1 2 3 4 5, true 0 2 0 2 2 of three labels, n A / sum of n c_j with n c = (12, 5, 8):
    #   labels 0 1 1 2 2: A = 0+1+1+0+0 = 2, sum = 12+5+5+8+8 = 38, QWK = 1 - 10/38 = 0.7368
    #   labels 0 2 2 2 2: A = 4, sum = 12+4*8 = 44, QWK = 1 - 20/44 = 0.5455 (the best without 1)
    raw, true = np.arange(1.0, 6.0), np.array([0, 2, 0, 2, 2])
    cutpoints = fit_cutpoints(raw, true, 3)
    np.testing.assert_array_equal(labels_of(raw, cutpoints), [0, 1, 1, 2, 2])
    assert qwk(true, labels_of(raw, cutpoints), 3) == pytest.approx(1 - 10 / 38)


@pytest.mark.parametrize(
    ("raw", "true", "label"),
    [
        ([2.0, 2.0, 2.0], [0, 1, 4], 2),  # constant predictions: nearest to the mean, 5/3
        ([1.0, 2.0, 3.0], [3, 3, 3], 3),  # one label
        ([7.0], [1], 1),  # one essay
        ([1.0, 2.0, 3.0], [4, 2, 0], 2),  # predictions that are the wrong way round
    ],
)
def test_without_agreement_to_gain_all_get_the_nearest_label(
    raw: list[float], true: list[int], label: int
) -> None:
    cutpoints = fit_cutpoints(np.array(raw), np.array(true), 5)
    np.testing.assert_array_equal(labels_of(np.array(raw), cutpoints), label)
    assert np.isfinite(cutpoints).all()


def test_adjacent_floats_are_told_apart() -> None:
    raw = np.array([1.0, np.nextafter(1.0, 2.0)])
    cutpoints = fit_cutpoints(raw, np.array([0, 1]), 2)
    np.testing.assert_array_equal(labels_of(raw, cutpoints), [0, 1])


def test_a_value_on_a_threshold_gets_the_higher_score() -> None:
    scale = ScoreScale(low=1, high=2, step=0.5)
    scores = apply_cutpoints(np.array([1.1, 1.2, 1.9]), np.array([1.2, 1.8]), scale)
    np.testing.assert_array_equal(scores, [1.0, 1.5, 2.0])


def test_thresholds_of_another_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="3 labels has 2"):
        apply_cutpoints(np.zeros(1), np.zeros(5), ScoreScale(low=1, high=3))


def test_predictions_must_be_numbers_and_there_must_be_some() -> None:
    with pytest.raises(NotFiniteError, match="row 1"):
        fit_cutpoints(np.array([1.0, np.nan]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="one length"):
        fit_cutpoints(np.empty(0), np.empty(0, dtype=np.int64), 2)


def test_a_long_scale_is_fitted_exactly_too() -> None:
    rng = np.random.default_rng(1)
    true = rng.integers(0, 61, 300)
    raw = true + rng.normal(0, 0.1, 300)
    cutpoints = fit_cutpoints(raw, true, 61)
    np.testing.assert_array_equal(labels_of(raw, cutpoints), true)
