from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.features.syllables import count_syllables

ONE = "a the make makes walked tried used clothes league don't weren't they're friend eye school"
TWO = "table wanted settled wishes going trying player royal someone sometimes lovely careful lion"
THREE = "idea area studying employee anyone everyone completely agreement settlement period various"
FOUR = "material variation associate experience society situation geography reality university"


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        *[(word, 1) for word in ONE.split()],
        *[(word, 2) for word in [*TWO.split(), "didn't", "couldn't", "science", "café", "enjoyed"]],
        *[(word, 3) for word in [*THREE.split(), "audience", "tourism", "happier", "beautiful"]],
        *[(word, 4) for word in FOUR.split() if word != "university"],
        ("university", 5),
        ("association", 5),
        ("responsibility", 6),
    ],
)
def test_syllables_of_words_as_they_are_said(word: str, syllables: int) -> None:
    assert count_syllables(word) == syllables


def test_case_and_quote_style_do_not_matter() -> None:
    assert count_syllables("DIDN\u2019T") == count_syllables("didn't") == 2


@given(st.text(max_size=20))
def test_anything_has_at_least_one_and_at_most_two_syllables_a_letter(word: str) -> None:
    assert 1 <= count_syllables(word) <= max(1, 2 * len(word) + 1)
