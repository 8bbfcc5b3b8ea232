"""PRMSE against arithmetic by hand, and against the formulas written out essay by essay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.true_scores import true_scores

NAN = float("nan")


def test_two_ratings_each_by_hand() -> None:
    # Pairs (1,1), (2,4), (5,5): means 1, 3, 5; the error variance is ((0 + 2 + 0)) / 3, each pair
    # bringing its sample variance: 2/3. Mean of all ratings 18/6 = 3.
    # V_T = (2*4 + 0 + 2*4 - 2 * 2/3) / (6 - 12/6) = (16 - 4/3) / 4 = 11/3.
    # System 1, 3, 4: MSE = (2 * 1 - 3 * 2/3) / 6 = 0; with 2, 3, 4: (2 + 2 - 2) / 6 = 1/3.
    ratings = np.array([[1.0, 1.0], [2.0, 4.0], [5.0, 5.0]])
    exact = true_scores(np.ones((1, 3)), np.array([1.0, 3.0, 4.0]), ratings)
    assert exact.error_variance[0] == pytest.approx(2 / 3, abs=1e-12)
    assert exact.true_variance[0] == pytest.approx(11 / 3, abs=1e-12)
    assert exact.mse[0] == pytest.approx(0.0, abs=1e-12)
    assert exact.prmse[0] == pytest.approx(1.0, abs=1e-12)
    off = true_scores(np.ones((1, 3)), np.array([2.0, 3.0, 4.0]), ratings)
    assert off.prmse[0] == pytest.approx(1 - (1 / 3) / (11 / 3), abs=1e-12)


def test_unequal_numbers_of_ratings_by_hand() -> None:
    # (2, 4), (1, -), (6, -): c = 2, 1, 1, means 3, 1, 6; V_e = 2 / 1. M = 4, the mean of all
    # ratings 13/4. V_T = (2 (1/4)^2 + (9/4)^2 + (11/4)^2 - 2 * 2) / (4 - 6/4)
    #     = (2 + 81 + 121) / 16 = 12.75, less 4 is 8.75, by 2.5 is 3.5.
    # System 3, 2, 4: MSE = (0 + 1 + 4 - 3 * 2) / 4 = -1/4; PRMSE = 1 + 0.25 / 3.5.
    ratings = np.array([[2.0, 4.0], [1.0, NAN], [6.0, NAN]])
    found = true_scores(np.ones((1, 3)), np.array([3.0, 2.0, 4.0]), ratings)
    assert found.error_variance[0] == pytest.approx(2.0, abs=1e-12)
    assert found.true_variance[0] == pytest.approx(3.5, abs=1e-12)
    assert found.mse[0] == pytest.approx(-0.25, abs=1e-12)
    assert found.prmse[0] == pytest.approx(1 + 0.25 / 3.5, abs=1e-12)


def straight(system: FloatArray, ratings: FloatArray) -> tuple[float, float, float, float]:
    """The published formulas, one essay after the other."""
    given_by = [[r for r in row if r == r] for row in ratings.tolist()]
    means = [sum(row) / len(row) for row in given_by]
    errors, freedom = 0.0, 0
    for row, mean in zip(given_by, means, strict=True):
        if len(row) > 1:
            errors += sum((rating - mean) ** 2 for rating in row)
            freedom += len(row) - 1
    v_e = errors / freedom
    every = [rating for row in given_by for rating in row]
    grand, m, n = sum(every) / len(every), len(every), len(given_by)
    about = sum(len(row) * (mean - grand) ** 2 for row, mean in zip(given_by, means, strict=True))
    v_t = (about - (n - 1) * v_e) / (m - sum(len(row) ** 2 for row in given_by) / m)
    missed = sum(
        len(row) * (mean - machine) ** 2
        for row, mean, machine in zip(given_by, means, system.tolist(), strict=True)
    )
    mse = (missed - n * v_e) / m
    return v_e, v_t, mse, 1 - mse / v_t


@given(st.integers(0, 10_000), st.integers(8, 60), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_agrees_with_the_formulas_written_out(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    ability = rng.normal(3, 2, n)
    ratings = np.round(ability[:, None] + rng.normal(0, 0.5, (n, k)))
    ratings[:, 1:][rng.random((n, k - 1)) < 0.5] = np.nan
    ratings[0] = np.arange(k)
    system = ability + rng.normal(0, 0.4, n)
    found = true_scores(np.ones((1, n)), system, ratings)
    v_e, v_t, mse, prmse = straight(system, ratings)
    assert found.error_variance[0] == pytest.approx(v_e, abs=1e-9)
    assert found.true_variance[0] == pytest.approx(v_t, abs=1e-9)
    assert found.mse[0] == pytest.approx(mse, abs=1e-9)
    assert found.prmse[0] == pytest.approx(prmse if v_t > 0 else NAN, abs=1e-9, nan_ok=True)


def test_a_weight_of_two_is_the_essay_twice() -> None:
    ratings = np.array([[1.0, 2.0], [3.0, NAN], [5.0, 4.0]])
    system, times = np.array([1.2, 3.1, 4.0]), np.array([[2.0, 1.0, 0.0]])
    again = [0, 0, 1]
    one = true_scores(times, system, ratings)
    other = true_scores(np.ones((1, 3)), system[again], ratings[again])
    assert one.prmse[0] == pytest.approx(other.prmse[0], abs=1e-12)


def test_without_double_ratings_or_true_variance_there_is_no_figure() -> None:
    single = np.array([[1.0, NAN], [2.0, NAN]])
    assert np.isnan(true_scores(np.ones((1, 2)), np.array([1.0, 2.0]), single).prmse[0])
    alike = np.array([[1.0, 5.0], [5.0, 1.0]])
    assert np.isnan(true_scores(np.ones((1, 2)), np.array([1.0, 2.0]), alike).prmse[0])


def test_it_recovers_what_the_ratings_were_made_from() -> None:
    # True variance 1, error variance 0.25; a system with error variance 0.36: PRMSE 1 - 0.36.
    rng = np.random.default_rng(0)
    truth = rng.normal(size=40_000)
    ratings = truth[:, None] + 0.5 * rng.normal(size=(40_000, 2))
    ratings[::2, 1] = np.nan
    found = true_scores(np.ones((1, 40_000)), truth + 0.6 * rng.normal(size=40_000), ratings)
    assert found.error_variance[0] == pytest.approx(0.25, abs=0.01)
    assert found.true_variance[0] == pytest.approx(1.0, abs=0.03)
    assert found.prmse[0] == pytest.approx(0.64, abs=0.02)
