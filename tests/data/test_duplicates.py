from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.duplicates import exact_groups, near_pairs
from essay_scoring.data.synthetic import generate

# Twenty-nine words: 25 five-word shingles.
BASE = [f"w{i}" for i in range(29)]


def _changed(*positions: int) -> str:
    return " ".join("other" if i in positions else word for i, word in enumerate(BASE))


def test_exact_groups_look_through_white_space_and_zero_width() -> None:
    assert exact_groups(["a b", "c", " a\u200b  b\n", "d", "c "]) == [[0, 2], [1, 4]]


def test_a_pair_is_found_with_its_exact_index() -> None:
    # A changed last word is in 1 shingle: 24 shared of 26 together.
    pairs = near_pairs(["elsewhere entirely", " ".join(BASE), _changed(28)])
    assert [(pair.first, pair.second) for pair in pairs] == [(1, 2)]
    assert pairs[0].jaccard == pytest.approx(24 / 26)


@pytest.mark.parametrize(
    ("position", "near"),
    [
        (27, True),  # in the 2 shingles that start at 23 and 24: 23 / 27 = 0.852
        (26, False),  # in 3 shingles: 22 / 28 = 0.786
    ],
)
def test_the_threshold_is_four_fifths(position: int, near: bool) -> None:
    assert bool(near_pairs([" ".join(BASE), _changed(position)])) is near


def test_case_and_punctuation_do_not_hide_a_copy() -> None:
    text = " ".join(BASE)
    assert near_pairs([text, text.upper().replace(" ", ", ")])[0].jaccard == 1.0


def test_equal_texts_are_no_near_pair_and_count_once() -> None:
    text = " ".join(BASE)
    pairs = near_pairs([text, text, _changed(28), text])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]


def test_texts_shorter_than_a_shingle() -> None:
    assert near_pairs(["one two", "one two three"]) == []
    assert near_pairs(["one two", "One, two!"])[0].jaccard == 1.0
    assert near_pairs([]) == []


def test_planted_copies_are_all_found_among_many() -> None:
    texts = list(generate(SyntheticCorpus(n_essays=300), "train").essays.texts)
    rng = np.random.default_rng(0)
    planted = []
    for row in range(0, 300, 10):
        tokens = texts[row].split(" ")
        for at in rng.integers(len(tokens), size=3):
            tokens[at] = "changed"
        planted.append((row, len(texts)))
        texts.append(" ".join(tokens))
    assert [(pair.first, pair.second) for pair in near_pairs(texts)] == planted
