from __future__ import annotations

import math

import pytest

from essay_scoring.features import surface
from essay_scoring.features.annotation import Annotation
from tests.features.made_annotations import EMPTY, plain

# 2 sentences, 6 words, 3+3+3+2+3+5 = 19 letters, 1+1+1+1+1+2 = 7 syllables, none of 3 or more.
CAT = plain("The cat sat . | It was happy .")
# 2 sentences, 6 words, 9+2+9+10+7+11 = 48 letters, 4+1+3+4+2+4 = 18 syllables, four of 3 or more.
SCHOOL = plain("Education is important . | Technology changes communities .")
# 1 sentence, 5 words, 1+4+4+1+6 = 16 letters and digits, 15 letters, 5 syllables.
THINGS = plain("I don't know 2 things .")
MARKS = plain("! ! ! ?")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        # 0.39 * 6/2 + 11.8 * 7/6 - 15.59 = 1.17 + 13.76667 - 15.59
        (CAT, -0.65333),
        # 1.17 + 11.8 * 18/6 - 15.59
        (SCHOOL, 20.98),
        # 0.39 * 5 + 11.8 * 5/5 - 15.59
        (THINGS, -1.84),
    ],
)
def test_flesch_kincaid(annotation: Annotation, expected: float) -> None:
    assert surface.flesch_kincaid(annotation) == pytest.approx(expected, abs=1e-5)


def test_smog() -> None:
    assert surface.smog(CAT) == pytest.approx(3.1291)
    # 3.1291 + 1.0430 * sqrt(30 * 4/2) = 3.1291 + 1.0430 * 7.745967
    assert surface.smog(SCHOOL) == pytest.approx(11.208143)
    assert surface.smog(THINGS) == pytest.approx(3.1291)


def test_coleman_liau() -> None:
    # 0.0588 * 316.6667 - 0.296 * 33.3333 - 15.8 = 18.62 - 9.86667 - 15.8
    assert surface.coleman_liau(CAT) == pytest.approx(-7.046667)
    # 0.0588 * 800 - 9.86667 - 15.8
    assert surface.coleman_liau(SCHOOL) == pytest.approx(21.373333)
    # The digit is no letter: 0.0588 * 300 - 0.296 * 20 - 15.8 = 17.64 - 5.92 - 15.8
    assert surface.coleman_liau(THINGS) == pytest.approx(-4.08)


def test_ari() -> None:
    # 4.71 * 19/6 + 0.5 * 6/2 - 21.43 = 14.915 + 1.5 - 21.43
    assert surface.ari(CAT) == pytest.approx(-5.015)
    # 4.71 * 8 + 1.5 - 21.43
    assert surface.ari(SCHOOL) == pytest.approx(17.75)
    # 4.71 * 16/5 + 0.5 * 5 - 21.43 = 15.072 + 2.5 - 21.43
    assert surface.ari(THINGS) == pytest.approx(-3.858)


def test_word_and_sentence_lengths() -> None:
    assert [surface.avg_sentence_length(a) for a in (CAT, SCHOOL, THINGS)] == [3.0, 3.0, 5.0]
    lengths = [surface.avg_word_length(a) for a in (CAT, SCHOOL, THINGS)]
    assert lengths == pytest.approx([19 / 6, 8.0, 16 / 5])


def test_lower_case_starts() -> None:
    # Two of four sentences; a digit or a quote is no lower-case letter.
    mixed = plain("i left . | Then we met . | and he ran . | 2 came .")
    assert surface.lower_case_starts(mixed) == 0.5
    assert surface.lower_case_starts(CAT) == 0.0
    assert surface.lower_case_starts(plain("no capital here")) == 1.0


def test_sentence_length_deviation() -> None:
    # Lengths 1, 3, 5: mean 3, deviation sqrt((4 + 0 + 4) / 3).
    uneven = plain("One . | Two of them . | Three of them came here .")
    assert surface.sentence_length_deviation(uneven) == pytest.approx(math.sqrt(8 / 3))
    assert surface.sentence_length_deviation(CAT) == 0.0
    assert surface.sentence_length_deviation(THINGS) == 0.0


def test_word_count_is_the_contracts_runs_of_letters_and_digits() -> None:
    # I, don, t, know, 2, things: an apostrophe ends a run, though readability counts "don't" once.
    assert surface.word_count(THINGS) == 6.0
    assert [surface.word_count(a) for a in (CAT, MARKS, EMPTY)] == [6.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "feature",
    [
        surface.flesch_kincaid,
        surface.smog,
        surface.coleman_liau,
        surface.ari,
        surface.avg_sentence_length,
        surface.avg_word_length,
        surface.lower_case_starts,
        surface.sentence_length_deviation,
    ],
)
def test_a_text_without_words_has_no_measure(feature: surface.Feature) -> None:
    assert math.isnan(feature(EMPTY))
