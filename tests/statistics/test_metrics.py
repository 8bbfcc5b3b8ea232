from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import cohen_kappa_score

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.statistics import metrics, weighted
from essay_scoring.statistics.agreement import overall
from tests.statistics.made import of_scores


def ints(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


def floats(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


pairs = st.integers(2, 12).flatmap(
    lambda k: st.tuples(
        st.just(k),
        st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=2, max_size=60),
    )
)


def test_qwk_by_hand() -> None:
    # Errors: one of 1 step, so sum(w * observed) = 1 with n = 4. Marginals 2,1,1 and 1,2,1 give
    # sum(w * expected) = 4 + 8 + 1 + 1 + 4 + 2 = 20 (times 1/n). Kappa = 1 - 1 * 4 / 20.
    assert metrics.qwk(ints(0, 0, 1, 2), ints(0, 1, 1, 2), 3) == pytest.approx(0.8)


def test_qwk_of_reversed_labels_is_minus_one() -> None:
    assert metrics.qwk(ints(0, 2), ints(2, 0), 3) == pytest.approx(-1.0)


def test_a_missing_band_does_not_shrink_distances() -> None:
    # Nobody is at label 2 of 0..3. Sum(w * observed) = 2 * 4 = 8; n * (19 + 19) - 2 * 7 * 7 = 54;
    # kappa = 1 - 4 * 8 / 54. With label 2 left out it would be 1 - 4 * 2 / 22 = 0.636.
    true, predicted = ints(0, 1, 3, 3), ints(0, 3, 1, 3)
    assert metrics.qwk(true, predicted, 4) == pytest.approx(1 - 32 / 54)
    assert cohen_kappa_score(true, predicted, weights="quadratic") == pytest.approx(1 - 8 / 22)


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_qwk_equals_scikit_learn_with_all_labels(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    k, rows = drawn
    true, predicted = np.array(rows, dtype=np.int64).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = cohen_kappa_score(true, predicted, labels=range(k), weights="quadratic")
    ours = metrics.qwk(true, predicted, k)
    if ours is None:
        assert len(set(true) | set(predicted)) == 1
    else:
        assert ours == pytest.approx(oracle, abs=1e-12)


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_qwk_is_symmetric_and_bounded(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    k, rows = drawn
    true, predicted = np.array(rows, dtype=np.int64).T
    forward, backward = metrics.qwk(true, predicted, k), metrics.qwk(predicted, true, k)
    if forward is None:
        assert backward is None
    else:
        assert backward == pytest.approx(forward, abs=1e-12)
        assert -1 - 1e-9 <= forward <= 1 + 1e-9
        mirrored = metrics.qwk(k - 1 - true, k - 1 - predicted, k)
        assert mirrored == pytest.approx(forward, abs=1e-9)


def test_qwk_of_many_tables_at_once() -> None:
    rng = np.random.default_rng(0)
    tables = rng.integers(0, 5, (3, 2, 4, 4))
    assert metrics.qwk_of_counts(tables).shape == (3, 2)
    assert metrics.qwk_of_counts(tables)[2, 1] == pytest.approx(
        float(metrics.qwk_of_counts(tables[2, 1]))
    )


def test_confusion_has_true_labels_in_rows() -> None:
    counts = metrics.confusion(ints(0, 0, 1), ints(0, 2, 1), 3)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "figure",
    [
        metrics.pearson,
        metrics.spearman,
    ],
)
def test_an_empty_slice_has_no_figure(figure: object) -> None:
    assert callable(figure)
    assert figure(floats(), floats()) is None


def test_an_empty_slice_has_no_kappa() -> None:
    assert metrics.qwk(ints(), ints(), 4) is None


def test_kappa_of_one_constant_label_is_undefined_not_zero() -> None:
    assert metrics.qwk(ints(1, 1), ints(1, 1), 3) is None
    assert metrics.qwk(ints(1, 1), ints(2, 2), 3) == pytest.approx(0.0)


def test_errors_by_hand() -> None:
    run = of_scores([1, 2, 4], [2, 2, 2], scales=ScoreScales(shared=ScoreScale(low=1, high=5)))
    found = overall(run)  # errors 1, 0, -2
    assert found["mae"].estimate == pytest.approx(1.0)
    assert found["rmse"].estimate == pytest.approx(math.sqrt(5 / 3))
    assert found["adjacent"].estimate == pytest.approx(2 / 3)
    assert found["exact"].estimate == pytest.approx(1 / 3)


def test_smd_by_hand() -> None:
    # Means 2 and 3; sample variances 1 and 4; pooled deviation sqrt(2.5).
    smd = weighted.pooled_smd(metrics.once(3), floats(1, 2, 3), floats(1, 3, 5))[0]
    assert smd == pytest.approx(1 / math.sqrt(2.5))


def test_correlation_with_a_constant_is_undefined() -> None:
    assert metrics.pearson(floats(1, 2, 3), floats(2, 2, 2)) is None
    assert metrics.spearman(floats(1, 1, 1), floats(1, 2, 3)) is None


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=40))
@settings(max_examples=50, deadline=None)
def test_ranks_and_spearman_equal_scipy(rows: list[tuple[int, int]]) -> None:
    x, y = np.array(rows, dtype=np.float64).T
    ranks = weighted.midranks(metrics.once(len(x)), x)[0] + 0.5
    assert ranks.tolist() == rankdata(x).tolist()
    ours = metrics.spearman(x, y)
    if ours is not None:
        assert ours == pytest.approx(float(spearmanr(x, y).statistic), abs=1e-12)
