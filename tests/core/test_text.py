from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.text import normalise_text, text_hash, word_count, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t.,;!?", []),
        ("don't", ["don", "t"]),  # an apostrophe is not alphanumeric
        ("well-known", ["well", "known"]),
        ("3.5 apples", ["3", "5", "apples"]),
        ("a_b", ["a", "b"]),  # unlike the regular expression \w, str.isalnum has no underscore
        ("café naïve", ["café", "naïve"]),
        ("x² ½", ["x²", "½"]),  # isalnum holds for superscripts and fractions
        ("日本 語", ["日本", "語"]),
    ],
)
def test_a_word_is_a_run_of_alphanumeric_characters(text: str, expected: list[str]) -> None:
    assert words(text) == expected
    assert word_count(text) == len(expected)


@given(st.text())
def test_word_count_agrees_with_words(text: str) -> None:
    found = words(text)
    assert word_count(text) == len(found)
    assert all(word and all(map(str.isalnum, word)) for word in found)


@pytest.mark.parametrize(
    "variant",
    [
        "one two\nthree",
        "one two\r\nthree",
        "one two\rthree",
        "  one \t two   three \n",
        "one\u00a0two three",  # no-break space
        "o\u200bne tw\u2060o three",  # zero-width characters inside words
        "\ufeffone two three",  # a byte order mark left in the text
        "\uff4f\uff4e\uff45 two three",  # full-width letters, NFKC
    ],
)
def test_the_same_text_in_other_bytes_has_the_same_hash(variant: str) -> None:
    assert normalise_text(variant) == "one two three"
    assert text_hash(variant) == hashlib.sha256(b"one two three").hexdigest()


@pytest.mark.parametrize("other", ["One two three", "one two, three", "onetwo three", "one three"])
def test_another_text_has_another_hash(other: str) -> None:
    assert text_hash(other) != text_hash("one two three")


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert text_hash("caf\u00e9") == text_hash("cafe\u0301")


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise_text(normalise_text(text)) == normalise_text(text)
