from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.features.diversity import guiraud, mattr, mtld, ttr
from tests.features.made_annotations import EMPTY, plain


def numbered(*numbers: int) -> str:
    return " ".join(f"w{number}" for number in numbers)


def test_ttr() -> None:
    # 4 types of 5 tokens; one type of 3; all different.
    assert ttr(plain("the cat saw the dog")) == pytest.approx(0.8)
    assert ttr(plain("The the | THE")) == pytest.approx(1 / 3)
    assert ttr(plain("alone")) == 1.0


def test_guiraud() -> None:
    # 4 types over the root of 5; 1 over the root of 9; 1 over the root of 1.
    assert guiraud(plain("the cat saw the dog")) == pytest.approx(4 / math.sqrt(5))
    assert guiraud(plain("no " * 9)) == pytest.approx(1 / 3)
    assert guiraud(plain("alone")) == 1.0


def test_mattr() -> None:
    # 51 words, two windows: 50 of 50 types, then 49 of 50.
    assert mattr(plain(numbered(*range(50), 49))) == pytest.approx((1 + 0.98) / 2)
    # Every window of 50 holds one type.
    assert mattr(plain("no " * 60)) == pytest.approx(1 / 50)
    # Shorter than the window: the plain ratio.
    assert mattr(plain("the cat saw the dog")) == pytest.approx(0.8)


@given(st.lists(st.integers(0, 30), min_size=51, max_size=90))
def test_mattr_is_the_mean_over_all_windows(numbers: list[int]) -> None:
    windows = [numbers[start : start + 50] for start in range(len(numbers) - 49)]
    mean = sum(len(set(window)) / 50 for window in windows) / len(windows)
    assert mattr(plain(numbered(*numbers))) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # Both ways the ratio falls to 1/2 at every second word: 2 factors, 4/2.
        ("a a a a", 2.0),
        # 1, 1, 2/3: one factor of three words, both ways.
        ("a b a", 3.0),
        # No factor; the rest has come (1 - 4/5) / 0.28 = 5/7 of the way: 5 / (5/7), both ways.
        ("a b c d a", 7.0),
        # Forwards one factor ("a a") and nothing of the next: 4/1. Backwards (1 - 3/4) / 0.28 of
        # a factor: 4 * 0.28 / 0.25 = 4.48. Mean 4.24.
        ("a a b c", 4.24),
        # Nothing repeats: the length stands in.
        ("a b c", 3.0),
        ("a", 1.0),
    ],
)
def test_mtld(words: str, expected: float) -> None:
    assert mtld(plain(words)) == pytest.approx(expected)


def test_mtld_does_not_fall_with_length_as_ttr_does() -> None:
    drawn = np.random.default_rng(1).geometric(0.02, size=4000).tolist()
    parts = [plain(numbered(*drawn[start : start + 400])) for start in range(0, 4000, 400)]
    whole = plain(numbered(*drawn))
    assert ttr(whole) < np.mean([ttr(part) for part in parts]) / 3
    assert mtld(whole) == pytest.approx(np.mean([mtld(part) for part in parts]), rel=0.1)


def test_a_text_without_words_has_no_diversity() -> None:
    for feature in (ttr, guiraud, mattr, mtld):
        assert math.isnan(feature(EMPTY))
