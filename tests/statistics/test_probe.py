from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.statistics.intervals import wilson
from essay_scoring.statistics.probe import Counts, Values, pooled, probe, probe_counts


def clouds(
    n: int, apart: float, *, classes: int = 4, columns: int = 30
) -> tuple[Values, list[str]]:
    """Return n values whose class means lie `apart` in a column of their own, and their labels."""
    rng = np.random.default_rng(3)
    labels = np.arange(n) % classes
    values = rng.normal(size=(n, columns))
    values[np.arange(n), labels] += apart
    return values, [f"p{label}" for label in labels]


def test_what_is_there_is_found_and_what_is_not_is_not() -> None:
    values, labels = clouds(200, apart=8.0)
    assert probe(values, labels, seed=0).accuracy == 1.0
    values, labels = clouds(400, apart=0.0)
    blind = probe(values, labels, seed=0)
    assert blind.low is not None
    assert blind.low < 0.25


def test_more_columns_than_essays_are_not_learnt_by_heart() -> None:
    values, labels = clouds(60, apart=0.0, columns=500)
    accuracy = probe(values, labels, seed=0).accuracy
    assert accuracy is not None
    assert accuracy < 0.5


def test_each_column_counts_the_same_whatever_its_unit() -> None:
    values, labels = clouds(120, apart=2.0)
    scaled = np.asarray(values) * np.logspace(-6, 6, 30) + 1e3
    plain = probe_counts(np.asarray(values), labels, seed=1)
    assert probe_counts(scaled, labels, seed=1) == plain


def test_the_record_counts_essays_classes_and_the_majority() -> None:
    """12 of 20 essays are of a; c has fewer essays than folds and is left out."""
    labels = ["a"] * 12 + ["b"] * 8 + ["c"] * 4
    values = np.random.default_rng(0).normal(size=(24, 3))
    found = probe(values, labels, seed=0)
    assert (found.n, found.classes, found.majority) == (20, 2, 0.6)


def test_one_class_cannot_be_probed() -> None:
    found = probe(np.zeros((9, 2)), ["a"] * 9, seed=0)
    assert (found.n, found.accuracy, found.low, found.majority) == (0, None, None, None)


def test_probes_add_up_by_essays() -> None:
    """9 of 10 and 10 of 30 right: 19 of 40. The majorities 5 and 15: 20 of 40. (2*10+4*30)/40."""
    found = pooled([Counts(9, 10, 5, 2), Counts(10, 30, 15, 4), Counts(0, 0, 0, 0)])
    assert (found.accuracy, found.majority, found.n) == (0.475, 0.5, 40)
    assert found.classes == round(3.5)


def test_wilson_by_hand() -> None:
    """8 of 10: z^2 = 3.8415, (0.8 + 0.19207) / 1.38415 = 0.71674; the root of 0.016 + 0.0096036 is
    0.16001, times 1.95996 / 1.38415 = 0.22657.
    """
    low, high = wilson(0.8, 10)
    assert low == pytest.approx(0.71674 - 0.22657, abs=2e-5)
    assert high == pytest.approx(0.71674 + 0.22657, abs=2e-5)
    assert wilson(0.0, 5)[0] == 0.0
    assert wilson(1.0, 5)[1] == 1.0


def test_the_same_seed_gives_the_same_figure_and_a_bad_value_none() -> None:
    values, labels = clouds(80, apart=1.0)
    assert probe(values, labels, 4) == probe(values, labels, 4)
    broken = np.asarray(values).copy()
    broken[7, 2] = np.nan
    with pytest.raises(NotFiniteError, match="row 7"):
        probe(broken, labels, 4)
