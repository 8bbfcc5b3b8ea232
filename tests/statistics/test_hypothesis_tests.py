from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.statistics import hypothesis_tests as module
from essay_scoring.statistics.hypothesis_tests import N_FLIPS, corrected_t, holm, sign_flip
from essay_scoring.statistics.student import mean_interval

DIFFERENCES = np.array([0.02, 0.04, 0.0, 0.03, 0.01])


def test_the_corrected_t_by_hand() -> None:
    # Mean 0.02, S^2 = 0.001 / 4; five equal folds leave 4 of training for 1 held out, so the
    # variance of the mean is (1/5 + 1/4) * 0.00025 = 0.0001125 and t^2 = 0.0004 / 0.0001125 = 32/9.
    # With 4 degrees of freedom p = 1 - s (1 + c^2 / 2), c^2 = 1 / (1 + t^2 / 4) = 9/17, s^2 = 8/17.
    found = corrected_t(DIFFERENCES, np.full(5, 100.0))
    assert found is not None
    assert found.estimate == pytest.approx(0.02)
    assert found.t == pytest.approx(np.sqrt(32 / 9))
    assert found.p == pytest.approx(1 - np.sqrt(8 / 17) * (1 + 9 / 34))
    reach = 2.7764451 * np.sqrt(0.0001125)
    assert (found.low, found.high) == pytest.approx((0.02 - reach, 0.02 + reach), abs=1e-8)
    assert (found.n_folds, found.test_train_ratio) == (5, 0.25)


def test_folds_of_unequal_size_enter_by_their_own_ratios() -> None:
    # 10 / 50, 20 / 40 and 30 / 30.
    found = corrected_t(np.array([0.1, 0.2, 0.3]), np.array([10.0, 20.0, 30.0]))
    assert found is not None
    assert found.test_train_ratio == pytest.approx((0.2 + 0.5 + 1.0) / 3)


def test_overlapping_training_sets_widen_the_interval() -> None:
    found = corrected_t(DIFFERENCES, np.full(5, 100.0))
    assert found is not None
    naive = 2.7764451 * DIFFERENCES.std(ddof=1) / np.sqrt(5)
    assert (found.high - found.low) / 2 == pytest.approx(naive * np.sqrt(0.45 / 0.2))


def test_folds_without_spread_give_no_p_unless_nothing_differs() -> None:
    same, none = (corrected_t(np.full(3, d), np.full(3, 9.0)) for d in (0.1, 0.0))
    assert same is not None
    assert none is not None
    assert (same.t, same.p) == (None, None)
    assert (none.t, none.p, none.low, none.high) == (0.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize("differences", [[0.1], [0.1, np.nan]])
def test_no_test_over_one_fold_or_an_undefined_one(differences: list[float]) -> None:
    assert corrected_t(np.array(differences), np.full(len(differences), 9.0)) is None


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3], 2 / 8),  # only + + + and - - - reach a sum of 6
        ([1, 2, -1], 6 / 8),  # sums 4, 2, 2, 0 and their negatives: six reach 2
        ([1, 2, np.nan, -1], 6 / 8),  # an undefined prompt is not there
        ([0, 0], 1.0),
        ([0.3], 1.0),  # one prompt can show nothing
        ([0.1, 0.2, 0.3], 2 / 8),  # sums that differ by rounding alone are as far
    ],
)
def test_sign_flips_by_hand(differences: list[float], p: float) -> None:
    found = sign_flip(np.array(differences, dtype=float), seed=1)
    assert found is not None
    assert found.exact
    assert found.p == pytest.approx(p)
    assert found.n_flips == 2**found.n_prompts


def test_many_prompts_are_sampled_and_the_observed_signs_count() -> None:
    alike = sign_flip(np.linspace(0.1, 0.2, 40), seed=1)
    assert alike is not None
    assert not alike.exact
    assert alike.p == 1 / (N_FLIPS + 1)  # none of the draws is as far; never a p of zero
    assert alike.estimate == pytest.approx(0.15)


def test_sampled_flips_agree_with_all_of_them() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, 14)
    sums = [abs(np.dot(s, differences)) for s in itertools.product([-1, 1], repeat=14)]
    p = float(np.mean(np.array(sums) >= abs(differences.sum()) - 1e-9))
    found = sign_flip(differences, seed=5)
    assert found is not None
    assert found.p == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / N_FLIPS))
    assert found == sign_flip(differences, seed=5)


def test_no_prompt_no_test() -> None:
    assert sign_flip(np.array([np.nan]), seed=1) is None


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_swapping_the_arms_keeps_the_p(differences: list[float]) -> None:
    there, back = (sign_flip(sign * np.array(differences), seed=0) for sign in (1, -1))
    assert there is not None
    assert back is not None
    assert there.p == back.p
    assert 2 / 2 ** len(differences) <= there.p <= 1


def test_holm_by_hand() -> None:
    # 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, and 0.04 * 1 may not fall below 0.06.
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert list(found) == ["a", "b", "c", "d"]
    assert list(found.values()) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_counts_tests_without_a_p() -> None:
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({"a": 0.02, "b": None}) == {"a": 0.04, "b": None}
    assert holm({}) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.sampled_from([0.01, 0.05, 0.3]))
@settings(max_examples=60, deadline=None)
def test_what_holm_leaves_below_a_level_is_what_stepping_down_rejects(
    values: list[float], level: float
) -> None:
    rejected = 0
    for p in sorted(
        values
    ):  # the smallest against level / m, the next against level / (m - 1), ...
        if p * (len(values) - rejected) > level:
            break
        rejected += 1
    found = holm({str(place): value for place, value in enumerate(values)})
    assert sum(p <= level for p in found.values() if p is not None) == rejected


def test_the_interval_of_a_mean_by_hand() -> None:
    # Mean 2, sample deviation 1, t of 2 degrees of freedom 4.302653: half is 4.302653 / sqrt(3).
    half = 4.302653 / 3**0.5
    assert mean_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2 - half, 2 + half), abs=1e-6)
    assert mean_interval(np.array([1.0])) == (None, None)


@pytest.mark.parametrize("n_prompts", [12, 40])
def test_signs_drawn_in_blocks_are_those_drawn_at_once(
    n_prompts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences = np.random.default_rng(2).normal(0.01, 0.1, n_prompts)
    whole = sign_flip(differences, seed=3)
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 1000)
    assert sign_flip(differences, seed=3) == whole


def test_signs_of_more_prompts_than_a_float_can_count_assignments_of_are_drawn() -> None:
    found = sign_flip(np.full(2_000, 0.01), seed=1)
    assert found is not None
    assert (found.n_prompts, found.n_flips, found.exact) == (2_000, N_FLIPS, False)
    assert found.p == 1 / (N_FLIPS + 1)
