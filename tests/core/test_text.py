from __future__ import annotations

import hashlib
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.essays import Essays
from essay_scoring.core.text import (
    name_key,
    normalise_text,
    plain_name,
    plain_text,
    text_hash,
    word_count,
    words,
)


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
        ("cafe\u0301 a\u0300", ["cafe\u0301", "a\u0300"]),  # marks belong to their letters (UAX 29)
        ("\u0301ab", ["ab"]),  # a mark without a letter is none
        ("ह\u0942\u0901 म\u094bब", ["ह\u0942\u0901", "म\u094bब"]),  # Devanagari vowel signs
        ("日本 語", ["日", "本", "語"]),  # no spaces between words: each letter is one
        ("ไทย a1", ["ไ", "ท", "ย", "a1"]),
        ("слово два", ["слово", "два"]),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits_with_their_marks(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected
    assert word_count(text) == len(expected)


@given(st.text())
def test_word_count_agrees_with_words(text: str) -> None:
    found = words(text)
    assert word_count(text) == len(found)
    # A letter younger than this Python is a letter of its script all the same.
    assert all(word[0].isalnum() or category(word[0]) == "Cn" for word in found)


@given(st.text(st.characters(max_codepoint=0x2FF)))
def test_words_of_latin_letters_are_runs_of_alphanumeric_characters(text: str) -> None:
    spaced = "".join(mark if mark.isalnum() else " " for mark in text)
    assert words(text) == spaced.split()


@pytest.mark.parametrize(
    "variant",
    [
        "re\u0301sume\u0301 of a day\nnext",
        "r\u00e9\u200bsum\u00e9 of\u00a0a day\r\nnext",
        "\ufeffr\u00e9su\u00adm\u00e9 of\u2009a\u3000day\u2028next",
        "re\u200d\u0301sum\u00e9\u200e of a d\u0001ay\rnext",
    ],
)
def test_one_essay_in_other_code_points_is_read_the_same(variant: str) -> None:
    plain = "r\u00e9sum\u00e9 of a day\nnext"
    assert plain_text(variant) == plain
    assert Essays(("1",), (variant,), ("p",)).texts == (plain,)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain_text(text) == text


@given(st.text())
def test_plain_text_is_plain(text: str) -> None:
    assert plain_text(plain_text(text)) == plain_text(text)


@pytest.mark.parametrize(
    "name", [" distance  LEARNING", "Distance\u00a0learning", "\uff24ISTANCE learning"]
)
def test_names_in_other_spellings_have_one_key(name: str) -> None:
    assert name_key(name) == name_key("Distance learning")
    assert plain_name("\u200b Distance\u00a0 learning\n") == "Distance learning"


@given(st.text())
def test_the_key_of_a_key_is_the_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


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
