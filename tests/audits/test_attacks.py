"""The generators do what they say, are seeded, and work on whatever a text may be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.audits.attacks import (
    ATTACKS,
    STUFFED_WORDS,
    Attack,
    attacked,
    keywords_of,
    sentences,
    swapped_prompts,
)
from essay_scoring.core.essays import Essays
from essay_scoring.core.text import words

TEXT = (
    "The dog was late to the park. It runs with other dogs near rivers! Was it glad?\n"
    "\n"
    "My sister likes the cold water. She never walks home alone, because nights are dark."
)
PROMPT = "A day outside"
BY_NAME = {attack.name: attack for attack in ATTACKS}


def spoilt(name: str, text: str = TEXT, *, seed: int = 1, prompt: str = PROMPT) -> str:
    essays = Essays(("e1",), (text,), (prompt,))
    keywords = {prompt: ("outside", "river", "dogs")}
    return attacked(essays, BY_NAME[name], ["Other"], keywords, seed).texts[0]


def test_shuffled_sentences_keep_every_sentence() -> None:
    made = spoilt("shuffled sentences")
    assert sorted(sentences(made)) == sorted(sentences(TEXT))
    assert made.split() != TEXT.split()
    assert len(sentences(TEXT)) == 5
    # Three sentences, none, and two: as many in each paragraph as there were.
    assert [len(sentences(line)) for line in made.split("\n")] == [3, 0, 2]


def test_a_text_without_full_stops_is_shuffled_too() -> None:
    text = " ".join(f"word{number}" for number in range(60))
    made = spoilt("shuffled sentences", text)
    assert Counter(made.split()) == Counter(text.split())
    assert made != text


def test_shuffled_words_keep_every_word() -> None:
    made = spoilt("shuffled words")
    assert Counter(made.split()) == Counter(TEXT.split())
    assert made.split() != TEXT.split()
    assert [len(line.split()) for line in made.split("\n")] == [17, 0, 15]


def test_two_words_always_change_places() -> None:
    assert {spoilt("shuffled words", "one two", seed=seed) for seed in range(9)} == {"two one"}


def test_repeated_paragraphs_stand_twice_in_a_row() -> None:
    first, second = (part for part in TEXT.split("\n") if part)
    assert spoilt("repeated paragraphs") == "\n\n".join([first, first, second, second])


def test_a_removed_half_leaves_the_first_sentences() -> None:
    made = spoilt("removed half")
    assert TEXT.startswith(made)
    assert len(made.split()) <= len(TEXT.split()) / 2
    assert made.endswith("rivers!")
    assert len(spoilt("removed half", "a b c d").split()) == 2


def test_keywords_are_stuffed_at_the_end() -> None:
    made = spoilt("stuffed keywords")
    assert made.startswith(TEXT)
    stuffed = words(made[len(TEXT) :])
    assert len(stuffed) == STUFFED_WORDS
    assert {word.lower() for word in stuffed} == {"outside", "river", "dogs"}


def test_a_copied_prompt_is_as_long_as_the_essay_and_nothing_else() -> None:
    made = spoilt("copied prompt")
    assert set(made.split(". ")) <= {PROMPT, f"{PROMPT}."}
    assert len(made.split()) == pytest.approx(len(TEXT.split()), abs=2)


def test_gibberish_has_the_lengths_and_marks_of_the_essay_and_none_of_its_words() -> None:
    made = spoilt("gibberish")
    assert [len(word) for word in made.split()] == [len(word) for word in TEXT.split()]
    assert [mark for mark in made if not mark.isalpha()] == [m for m in TEXT if not m.isalpha()]
    long = {word.lower() for word in words(TEXT) if len(word) > 2}
    assert not long & set(map(str.lower, words(made)))
    again = dict(zip(words(TEXT), words(made), strict=True))
    assert [again[word] for word in words(TEXT)] == words(made)


def test_grammar_errors_touch_some_words_and_keep_the_paragraphs() -> None:
    text = "\n".join([TEXT.replace("\n", " ")] * 8)
    made = spoilt("injected grammar errors", text)
    assert made.count("\n") == text.count("\n")
    before, after = Counter(text.split()), Counter(made.split())
    touched = sum((before - after).values()) / len(text.split())
    assert 0.05 < touched < 0.25
    dropped = before["the"] - after["the"]
    assert dropped > 0


def test_one_typing_error_exchanges_two_letters_of_one_word() -> None:
    made = spoilt("one typing error")
    assert len(made) == len(TEXT)
    odd = [at for at, (a, b) in enumerate(zip(TEXT, made, strict=True)) if a != b]
    assert len(odd) == 2
    assert odd[1] == odd[0] + 1
    assert made[odd[0]] == TEXT[odd[1]]
    assert spoilt("one typing error", "a bb ccc") == "a bb ccc"


def test_wide_spaces_change_nothing_else() -> None:
    made = spoilt("two spaces after a full stop")
    assert made.split() == TEXT.split()
    assert "park.  It" in made


def test_another_prompt_leaves_the_text() -> None:
    essays = Essays(("e1",), (TEXT,), (PROMPT,))
    made = attacked(essays, BY_NAME["essay of another prompt"], ["Other"], {}, 1)
    assert (made.texts, made.prompts, made.ids) == ((TEXT,), ("Other",), ("e1",))


def test_the_other_prompt_is_one_of_the_own_fold_where_there_is_one() -> None:
    prompts = ("a", "b", "c", "a", "d")
    essays = Essays(tuple("12345"), ("x",) * 5, prompts)
    folds = np.array([0, 0, 1, 0, 1])
    made = swapped_prompts(essays, folds, np.arange(5), 4)
    assert made == ["b", "a", "d", "b", "c"]
    alone = swapped_prompts(essays, np.arange(5), np.arange(5), 4)
    assert all(own != other for own, other in zip(prompts, alone, strict=True))
    assert swapped_prompts(Essays(("1",), ("x",), ("a",)), folds[:1], np.arange(1), 4) == ["a"]


def test_keywords_lead_in_their_own_prompt() -> None:
    texts = ("the river flows with fish", "a river with boats", "the hill with snow", "hill paths")
    found = keywords_of(Essays(tuple("1234"), texts, ("water", "water", "land", "land")))
    assert found["water"][0] == "river"
    assert found["land"][0] == "hill"
    assert "the" not in found["water"]


@given(st.text(max_size=200), st.text(max_size=30), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_attacked_and_the_seed_decides(text: str, prompt: str, seed: int) -> None:
    essays = Essays(("e1", "e2"), (text, "other words"), (prompt, prompt))
    for attack in ATTACKS:
        both = attacked(essays, attack, ["o", "o"], {}, seed)
        again = attacked(essays, attack, ["o", "o"], {}, seed)
        # What happens to an essay does not depend on those beside it.
        alone = attacked(essays.take([1]), attack, ["o"], {}, seed)
        assert both.texts == again.texts
        assert both.texts[1:] == alone.texts


def test_every_attack_says_what_a_reader_would_do() -> None:
    expected = Counter(attack.expected for attack in ATTACKS)
    assert set(expected) == {"drop", "no rise", "no change"}
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) == 11
    assert [attack for attack in ATTACKS if attack.spoil is None] == [
        Attack("essay of another prompt", "drop", None)
    ]
