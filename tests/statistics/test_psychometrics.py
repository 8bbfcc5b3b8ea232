"""Agreement with other people's definitions, each written out here from its published formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.statistics import agreement
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.metrics import finite_or_none, once
from essay_scoring.statistics.weighted import (
    ac2,
    continuous_qwk,
    pooled_smd,
    smd,
    standardised_means_difference,
)
from tests.statistics.made import of_scores


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def covariance(a: list[float], b: list[float], ddof: int) -> float:
    together = [(x - mean(a)) * (y - mean(b)) for x, y in zip(a, b, strict=True)]
    return math.fsum(together) / (len(a) - ddof)


def of_data(statistic: Callable[..., FloatArray], *columns: object) -> float | None:
    """Return a statistic of the data as they are, None where it has no meaning."""
    values = [np.asarray(column) for column in columns]
    found = statistic(once(len(values[0])), *values)
    assert found.shape == (1,)
    return finite_or_none(float(found[0]))


def random_scores(seed: int) -> tuple[list[float], list[float], list[bool]]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 60))
    human = rng.integers(1, 7, n).astype(float)
    human[:2] = [1, 2]  # never constant
    system = 0.6 * human + rng.normal(1, 0.8, n)
    members = rng.random(n) < 0.4
    members[0] = True
    return human.tolist(), system.tolist(), members.tolist()


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_continuous_qwk_is_rsmtools(seed: int) -> None:
    h, m, _ = random_scores(seed)
    spread = covariance(h, h, 0) + covariance(m, m, 0) + (mean(m) - mean(h)) ** 2
    expected = 2 * covariance(h, m, 0) / spread
    assert of_data(continuous_qwk, h, m) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_smd_is_rsmtools(seed: int) -> None:
    h, m, _ = random_scores(seed)
    expected = (mean(m) - mean(h)) / math.sqrt(covariance(h, h, 1))
    assert of_data(smd, h, m) == pytest.approx(expected, abs=1e-9)
    pooled = math.sqrt((covariance(h, h, 1) + covariance(m, m, 1)) / 2)
    own = of_data(pooled_smd, h, m)
    assert own == pytest.approx((mean(m) - mean(h)) / pooled, abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_dsm_is_rsmtools(seed: int) -> None:
    h, m, members = random_scores(seed)
    sd_h, sd_m = math.sqrt(covariance(h, h, 1)), math.sqrt(covariance(m, m, 1))
    z = [
        (y - mean(m)) / sd_m - (x - mean(h)) / sd_h
        for x, y, member in zip(h, m, members, strict=True)
        if member
    ]
    found = of_data(standardised_means_difference, h, m, np.array(members))
    assert found == pytest.approx(mean(z), abs=1e-9)


def test_the_figures_by_hand() -> None:
    # H = 1, 2, 3 and M = 2, 3, 4: covariance and both variances 2/3 by n, the means 1 apart.
    h, m = np.array([1.0, 2, 3]), np.array([2.0, 3, 4])
    assert of_data(continuous_qwk, h, m) == pytest.approx((4 / 3) / (4 / 3 + 1))
    assert of_data(smd, h, m) == pytest.approx(1.0)
    # A constant shift is no difference between subgroups.
    assert of_data(standardised_means_difference, h, m, h == 1) == pytest.approx(0.0)
    # M = 3, 2, 4: z(M) of the first is 0, z(H) is -1.
    turned = np.array([3.0, 2, 4])
    assert of_data(standardised_means_difference, h, turned, h == 1) == pytest.approx(1.0)


def test_what_has_no_meaning_is_missing() -> None:
    one, same, other = np.array([2.0]), np.full(3, 2.0), np.array([1.0, 2, 3])
    nobody = np.zeros(3, dtype=bool)
    assert of_data(continuous_qwk, same, same) is None
    assert of_data(continuous_qwk, one, one) is None
    assert of_data(continuous_qwk, np.empty(0), np.empty(0)) is None
    assert of_data(smd, same, other) is None
    assert of_data(smd, one, one) is None
    assert of_data(standardised_means_difference, other, other, nobody) is None
    assert of_data(standardised_means_difference, other, same, ~nobody) is None
    assert of_data(standardised_means_difference, one, one, np.array([True])) is None


ABSTRACTORS = ((13, 0, 0), (0, 20, 7), (0, 4, 56))
"""Three categories by two abstractors, an example of Gwet's handbook and of irrCAC."""


def ac2_of(counts: Sequence[Sequence[int]], *others: Sequence[Sequence[int]]) -> float | None:
    """Return AC2 of tables of counts, each of a scale of its own."""
    tables = [np.array(table) for table in (counts, *others)]
    cells = [np.repeat(np.argwhere(table >= 0), table.ravel(), axis=0) for table in tables]
    scale_of = np.repeat(np.arange(len(tables)), [len(rows) for rows in cells])
    true, final = np.concatenate(cells).T
    sizes = np.array([len(table) for table in tables])
    return finite_or_none(float(ac2(once(len(true)), true, final, scale_of, sizes)[0]))


def test_ac2_by_hand() -> None:
    # Two labels, so that the weights are 0 and 1: observed 0.9; each side gives the first label to
    # 95 of 100, so that chance is 2 * 0.95 * 0.05 = 0.095. Cohen's kappa is -0.05.
    assert ac2_of([[90, 5], [5, 0]]) == pytest.approx((0.9 - 0.095) / (1 - 0.095))
    # Of three labels the nine weights are 1, 3/4 and 0, on average 2/3: chance is 2/3 * 3/2 times
    # sum p (1 - p). Labels 0, 1, 1, 2 against 0, 1, 1, 1: observed 15/16; p = 2/8, 5/8, 1/8.
    chance = 34 / 64
    table = [[1, 0, 0], [0, 2, 0], [0, 1, 0]]
    assert ac2_of(table) == pytest.approx((15 / 16 - chance) / (1 - chance))
    none, one = np.zeros((1, 1)), np.zeros(1, dtype=np.int64)
    assert np.isnan(ac2(none, one, one, one, np.array([3])))


def test_ac2_is_irrcacs() -> None:
    # irrCAC 0.4.4: CAC(table, weights="quadratic").gwet(), of two examples of Gwet's handbook.
    assert ac2_of(ABSTRACTORS) == pytest.approx(0.940236879278, abs=1e-12)
    diagnoses = [[22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10]]
    assert ac2_of(diagnoses) == pytest.approx(0.853174128401, abs=1e-12)
    # 100 and 118 essays of scales of their own.
    both = (100 * 0.940236879278 + 118 * 0.853174128401) / 218
    assert ac2_of(ABSTRACTORS, diagnoses) == pytest.approx(both, abs=1e-12)


def test_ac2_of_resamples_is_that_of_the_essays_they_draw() -> None:
    true, final = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
    scale_of, sizes = np.zeros(4, dtype=np.int64), np.array([4])
    weights = np.array([[1.0, 1, 1, 1], [2, 0, 1, 3]])
    drawn = np.repeat(np.arange(4), [2, 0, 1, 3])
    again = ac2(once(6), true[drawn], final[drawn], np.zeros(6, dtype=np.int64), sizes)
    assert ac2(weights, true, final, scale_of, sizes)[1] == pytest.approx(again[0])


@given(st.integers(0, 10**6), st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_every_qwk_is_scikit_learns_on_the_full_label_list(seed: int, n_labels: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 80))
    true = rng.integers(0, n_labels, n)
    true[:2] = [0, 1]
    final = np.clip(true + rng.integers(-2, 3, n), 0, n_labels - 1)
    oracle = cohen_kappa_score(true, final, labels=range(n_labels), weights="quadratic")
    scales = ScoreScales(shared=ScoreScale(low=0, high=n_labels - 1))
    run = of_scores(true.tolist(), final.tolist(), scales=scales)
    pooled = compare(run, run, replicates=0).deltas["pooled_qwk"].reference
    assert agreement.overall(run)["qwk"].estimate == pytest.approx(oracle, abs=1e-12)
    assert pooled == pytest.approx(oracle, abs=1e-12)
    assert of_data(continuous_qwk, run.true, run.final) == pytest.approx(oracle, abs=1e-9)
