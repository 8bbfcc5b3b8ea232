"""Agreement with other people's definitions, each written out here from its published formula."""

from __future__ import annotations

import math
from collections.abc import Callable

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


def of_data(statistic: Callable[..., FloatArray], *columns: object, **how: int) -> float | None:
    """Return a statistic of the data as they are, None where it has no meaning."""
    values = [np.asarray(column) for column in columns]
    found = statistic(once(len(values[0])), *values, **how)
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


@given(st.integers(0, 10**6), st.sampled_from([0, 1]))
@settings(max_examples=60, deadline=None)
def test_continuous_qwk_is_rsmtools(seed: int, ddof: int) -> None:
    h, m, _ = random_scores(seed)
    spread = covariance(h, h, ddof) + covariance(m, m, ddof) + (mean(m) - mean(h)) ** 2
    expected = 2 * covariance(h, m, ddof) / spread
    found = of_data(continuous_qwk, h, m, ddof=ddof)
    assert found == pytest.approx(expected, abs=1e-9)


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
    assert of_data(continuous_qwk, h, m, ddof=1) == pytest.approx(2 / 3)
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
    assert of_data(continuous_qwk, one, one, ddof=1) is None
    assert of_data(continuous_qwk, np.empty(0), np.empty(0)) is None
    assert of_data(smd, same, other) is None
    assert of_data(smd, one, one) is None
    assert of_data(standardised_means_difference, other, other, nobody) is None
    assert of_data(standardised_means_difference, other, same, ~nobody) is None
    assert of_data(standardised_means_difference, one, one, np.array([True])) is None


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
