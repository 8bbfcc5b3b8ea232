from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import cohen_kappa_score

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import weighted
from tests.statistics import oracle


def once(n: int) -> FloatArray:
    return np.ones((1, n))


TRUE = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
MACHINE = np.array([1.5, 1.5, 2.5, 3.0, 3.5])


def test_smd_and_dsm_by_hand() -> None:
    # Means 2.4 and 2.4: no SMD. Squares about them: H 1.96 + 0.16 + 0.16 + 0.36 + 2.56 = 5.2, so
    # SD(H) = sqrt(1.3); M 0.81 + 0.81 + 0.01 + 0.36 + 1.21 = 3.2, so SD(M) = sqrt(0.8).
    assert weighted.smd(once(5), TRUE, MACHINE)[0] == pytest.approx(0.0, abs=1e-12)
    shifted = MACHINE + 1.0
    assert weighted.smd(once(5), TRUE, shifted)[0] == pytest.approx(1 / 1.3**0.5, abs=1e-12)
    pooled = 1 / ((1.3 + 0.8) / 2) ** 0.5
    assert weighted.pooled_smd(once(5), TRUE, shifted)[0] == pytest.approx(pooled, abs=1e-12)
    # The last two essays: z(M) = (0.6 + 1.1) / 2 / sqrt(0.8), z(H) = (0.6 + 1.6) / 2 / sqrt(1.3).
    members = np.array([False, False, False, True, True])
    by_hand = 0.85 / 0.8**0.5 - 1.1 / 1.3**0.5
    dsm = weighted.standardised_means_difference(once(5), TRUE, shifted, members)[0]
    assert dsm == pytest.approx(by_hand, abs=1e-12)


def test_partial_correlation_by_hand() -> None:
    # r_xy = 0.5, r_xg = r_yg = 0 here: x, y have mean 0 and g is orthogonal to both.
    x = np.array([1.0, 1.0, -1.0, -1.0])
    y = np.array([1.0, -1.0, 1.0, -1.0])
    assert weighted.partial_correlation(once(4), x, x + y, y)[0] == pytest.approx(1.0)
    # Of x + y and x, given nothing they share: r = 1 / sqrt(2).
    rest = np.array([1.0, -1.0, -1.0, 1.0])
    found = weighted.partial_correlation(once(4), x + y, x, rest)[0]
    assert found == pytest.approx(0.5**0.5, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(5, 60))
@settings(max_examples=40, deadline=None)
def test_of_the_data_itself_all_agree_with_the_published_figures(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 5, n).astype(float)
    true[:2] = 0, 4
    machine = true + rng.normal(size=n)
    final = np.clip(np.round(machine), 0, 4)
    members = rng.random(n) < 0.5
    members[0] = True
    one = np.zeros(n, dtype=np.int64)
    kappa = cohen_kappa_score(true, final, labels=range(5), weights="quadratic")
    pairs = [
        (weighted.smd(once(n), true, machine), oracle.smd(true, machine)),
        (
            weighted.standardised_means_difference(once(n), true, machine, members),
            oracle.dsm(true, machine, members),
        ),
        (weighted.qwk(once(n), true, final, one), kappa),
        (weighted.pooled_smd(once(n), true, machine), oracle.pooled_smd(true, machine)),
        (weighted.pearson(once(n), true, machine), pearsonr(true, machine).statistic),
        (weighted.spearman(once(n), true, machine), spearmanr(true, machine).statistic),
    ]
    for ours, published in pairs:
        assert ours[0] == pytest.approx(published, abs=1e-9)


def test_qwk_is_kappa_on_the_full_label_list() -> None:
    true = np.array([0.0, 1.0, 2.0, 3.0, 8.0, 2.0])
    final = np.array([0.0, 2.0, 2.0, 4.0, 7.0, 1.0])
    kappa = cohen_kappa_score(true, final, labels=range(9), weights="quadratic")
    found = weighted.qwk(once(6), true, final, np.zeros(6, dtype=np.int64))[0]
    assert found == pytest.approx(kappa, abs=1e-12)


def test_a_weight_of_two_is_the_essay_twice() -> None:
    rng = np.random.default_rng(3)
    x, y, z = rng.normal(size=(3, 12))
    times = rng.integers(0, 3, 12)
    again = np.repeat(np.arange(12), times)
    once_each, counted = once(len(again)), times[None].astype(float)
    design, repeated = np.column_stack([np.ones(12), x]), np.column_stack([np.ones(12), x])[again]
    pairs = [
        (weighted.deviation(counted, x), weighted.deviation(once_each, x[again])),
        (weighted.spearman(counted, x, y), weighted.spearman(once_each, x[again], y[again])),
        (
            weighted.partial_correlation(counted, x, y, z),
            weighted.partial_correlation(once_each, x[again], y[again], z[again]),
        ),
        (
            weighted.regression(counted, design, y[:, None])[:, 1, 0],
            weighted.regression(once_each, repeated, y[again][:, None])[:, 1, 0],
        ),
    ]
    for one, other in pairs:
        assert one[0] == pytest.approx(other[0], abs=1e-12)


def test_regression_is_least_squares() -> None:
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    outcomes = rng.normal(size=(30, 2))
    least = np.linalg.lstsq(design, outcomes, rcond=None)[0]
    np.testing.assert_allclose(weighted.regression(once(30), design, outcomes)[0], least)


def test_what_has_no_meaning_is_nan_and_not_zero() -> None:
    flat, some = np.full(4, 2.0), np.array([1.0, 2.0, 3.0, 4.0])
    members = np.array([True, False, False, False])
    absent = np.array([[0.0, 1.0, 1.0, 1.0]])
    assert np.isnan(weighted.smd(once(4), flat, some)[0])
    assert np.isnan(weighted.pearson(once(4), flat, some)[0])
    assert np.isnan(weighted.qwk(once(4), flat, flat, np.zeros(4, dtype=np.int64))[0])
    assert np.isnan(weighted.standardised_means_difference(absent, some, some, members)[0])
    assert np.isnan(weighted.partial_correlation(once(4), some, some, some)[0])
    design = np.column_stack([np.ones(4), members])
    assert np.isnan(weighted.regression(absent, design, some[:, None])).all()


def test_a_value_far_from_zero_costs_no_digits() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 0.0, 3.0, 4.0])
    far = (x + 1e7, y + 1e7)
    for statistic in (weighted.pearson, weighted.smd, weighted.pooled_smd, weighted.continuous_qwk):
        assert statistic(once(4), *far)[0] == pytest.approx(statistic(once(4), x, y)[0], abs=1e-12)
    assert weighted.deviation(once(4), far[0])[0] == pytest.approx(x.std(ddof=1), abs=1e-12)
