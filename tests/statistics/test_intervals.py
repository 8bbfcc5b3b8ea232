"""Intervals by swapping prompts and by leaving them out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.intervals import (
    AddedNoise,
    effective_prompts,
    first_with_width,
    is_plain,
    is_tied,
    jackknife_error,
    jackknife_interval,
    kappa_interval,
    left_out,
    prompt_swaps,
    swap_interval,
)
from essay_scoring.statistics.student import t_quantile
from tests.statistics.made import given


def swapped_means(differences: FloatArray, most: int = 20_000) -> FloatArray:
    return (1 - 2 * prompt_swaps(len(differences), most, 0)) @ differences / len(differences)


def test_few_prompts_are_swapped_in_every_way_but_for_opposites() -> None:
    swaps = prompt_swaps(4, 100, 0)
    assert len(swaps) == 8
    assert not swaps[0].any()
    both = {tuple(row) for row in swaps} | {tuple(1 - row) for row in swaps}
    assert len(both) == 16


def test_many_prompts_are_swapped_at_random_first_not_at_all() -> None:
    swaps = prompt_swaps(30, 500, 7)
    assert swaps.shape == (500, 30)
    assert not swaps[0].any()
    assert swaps.mean() == pytest.approx(0.5, abs=0.02)
    assert np.array_equal(swaps, prompt_swaps(30, 500, 7))


@pytest.mark.parametrize("shift", [-0.9, -0.4, 0.0, 0.3, 0.6, 1.0])
def test_it_holds_zero_where_the_swap_test_does_not_refuse_it(shift: float) -> None:
    differences = np.random.default_rng(3).normal(size=9) + shift
    swapped = swapped_means(differences)
    estimate = float(differences.mean())
    p = (np.abs(swapped) >= abs(estimate) - 1e-12).mean()
    ends = swap_interval(estimate, swapped, 9)
    assert ends is not None
    assert (ends[0] <= 0 <= ends[1]) == (p > 0.05)


def test_for_normal_differences_it_is_the_t_interval() -> None:
    differences = np.random.default_rng(1).normal(size=40) + 0.2
    ends = swap_interval(float(differences.mean()), swapped_means(differences, 100_000), 40)
    assert ends is not None
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert ends == pytest.approx((expected.low, expected.high), abs=0.01)


def test_runs_that_do_not_differ_have_an_interval_of_nothing() -> None:
    assert swap_interval(0.0, np.zeros(50), 8) == (0.0, 0.0)


def test_no_interval_where_nothing_could_be_refused() -> None:
    assert swap_interval(1.0, np.array([1.0, 1, 1, 1]), 1.0) is None
    assert swap_interval(1.0, np.array([1.0, np.nan, np.nan]), 8) is None


def test_seeds_make_an_interval_wider_by_their_variance() -> None:
    differences = np.random.default_rng(1).normal(size=40)
    swapped, estimate = swapped_means(differences), float(differences.mean())
    plain = swap_interval(estimate, swapped, 40)
    noise = AddedNoise.of_seeds(np.array([0.0, 0.1, 0.2]), np.array([0.5]))
    assert (noise.variance, noise.freedom) == pytest.approx((0.01 / 3, 2))
    wider = swap_interval(estimate, swapped, 40, noise)
    assert plain is not None
    assert wider is not None
    error = (plain[1] - plain[0]) ** 2
    assert (wider[1] - wider[0]) ** 2 > error * (1 + noise.variance / (differences.var() / 40))


def test_a_single_seed_shows_no_noise() -> None:
    assert AddedNoise.of_seeds(np.array([0.3])) == AddedNoise(0.0, math.inf)


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = np.random.default_rng(2).normal(size=12)
    without = (left_out(12, 0) @ values) / 11
    ends = jackknife_interval(float(values.mean()), without, 11)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert ends == pytest.approx((expected.low, expected.high))


def test_more_variance_makes_the_jackknife_wider() -> None:
    without = np.array([0.9, 1.0, 1.1])
    noises = (AddedNoise(), AddedNoise(0.04 / 3, 2))
    narrow, wide = (jackknife_interval(1.0, without, 2, more) for more in noises)
    assert narrow is not None
    assert wide is not None
    # Both parts are as large, each known with two degrees of freedom.
    wider = math.sqrt(2) * t_quantile(4) / t_quantile(2)
    assert wide[1] - 1 == pytest.approx(wider * (narrow[1] - 1))


def test_an_interval_of_agreement_is_symmetric_in_fishers_z() -> None:
    without = np.array([0.80, 0.86, 0.90, 0.91])
    low, high = given(kappa_interval(0.87, without, 3))
    assert math.atanh(high) - math.atanh(0.87) == pytest.approx(math.atanh(0.87) - math.atanh(low))
    error = jackknife_error(math.atanh(0.87), np.arctanh(without))
    assert math.atanh(high) == pytest.approx(math.atanh(0.87) + t_quantile(3) * error)
    plain_low, plain_high = given(jackknife_interval(0.87, without, 3))
    assert plain_low > low
    assert plain_high > 1 > high
    assert kappa_interval(1.0, np.ones(4), 3) == (1.0, 1.0)


def test_noise_known_well_leaves_more_degrees_of_freedom() -> None:
    without = np.array([0.9, 1.0, 1.1])
    known, guessed = (
        given(jackknife_interval(1.0, without, 2, AddedNoise(0.04 / 3, freedom)))
        for freedom in (math.inf, 2)
    )
    assert known[1] < guessed[1]


def test_a_plain_difference_is_as_uncertain_as_the_jackknife_says() -> None:
    """Once a difference is taken out of what swaps show, next to nothing is left as its error."""
    rng = np.random.default_rng(3)
    differences = 0.05 + 0.01 * rng.normal(size=8)
    swapped, estimate = swapped_means(differences), float(differences.mean())
    assert is_plain(estimate, swapped, 8)
    assert not is_plain(0.0, swapped, 8)
    noise = 0.01 * rng.normal(size=8)
    assert not is_plain(float(noise.mean()), swapped_means(noise), 8)


def test_swaps_are_tied_where_five_prompts_make_the_difference() -> None:
    """Of 2^5 swaps two have the largest: a p of 6%, which refuses nothing."""
    rng = np.random.default_rng(4)
    differences = np.append(rng.normal(size=5), [0.0, 0.0, 0.0])
    assert is_tied(swapped_means(differences))
    assert not is_tied(swapped_means(np.append(differences, 1.0)))
    many = np.append(differences, np.zeros(20))
    assert all(is_tied(swapped_means(np.roll(many, n), most=200)) for n in range(9))
    six = np.append(many, 1.0)
    assert not any(is_tied(swapped_means(np.roll(six, n), most=200)) for n in range(9))
    assert not is_tied(np.zeros(16))
    assert not is_tied(np.full(3, np.nan))


def test_an_interval_without_width_is_not_taken() -> None:
    """A power of 70 essays on 7 prompts met runs whose worst prompts no prompt left out moves."""
    swaps = (-0.1, 0.1)
    assert first_with_width((0.0, 0.0), swaps) == swaps
    assert first_with_width(None, swaps) == swaps
    assert first_with_width((-0.2, 0.1), swaps) == (-0.2, 0.1)


def test_no_jackknife_without_freedom_or_a_figure() -> None:
    assert jackknife_interval(1.0, np.array([1.0, 2.0]), 0.5) is None
    assert jackknife_interval(1.0, np.array([1.0, np.nan]), 3) is None


def test_very_many_prompts_are_left_out_by_groups() -> None:
    weights = left_out(1000, 3)
    assert weights.shape == (200, 1000)
    assert ((1 - weights).sum(axis=0) == 1).all()
    assert ((1 - weights).sum(axis=1) == 5).all()


def test_unequal_prompts_count_as_fewer() -> None:
    # (6 + 2 * 2)^2 / (36 + 4 + 4) = 100 / 44.
    assert effective_prompts(np.array([6.0, 2, 2])) == pytest.approx(100 / 44)
    assert effective_prompts(np.ones(3)) == 3
    assert effective_prompts(np.zeros(3)) == 0


def test_a_mean_over_folds_has_the_error_of_its_folds_together() -> None:
    rng = np.random.default_rng(4)
    folds = [rng.normal(size=m) for m in (2, 3, 5)]
    estimate = float(np.mean([fold.mean() for fold in folds]))
    without, peers = [], []
    for at, fold in enumerate(folds):
        for left in range(len(fold)):
            means = [other.mean() for other in folds]
            means[at] = np.delete(fold, left).mean()
            without.append(np.mean(means))
            peers.append(len(fold))
    variance = sum(fold.var(ddof=1) / len(fold) for fold in folds) / len(folds) ** 2
    error = jackknife_error(estimate, np.array(without), np.array(peers, dtype=np.float64))
    assert error == pytest.approx(np.sqrt(variance))


def test_swaps_are_drawn_for_any_number_of_prompts() -> None:
    swaps = prompt_swaps(2_000, most=5, seed=1)
    assert swaps.shape == (5, 2_000)
    assert swaps.sum(axis=1)[0] == 0
    assert prompt_swaps(3, most=4, seed=1).shape == (4, 3)
