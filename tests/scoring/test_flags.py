from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import write_bytes
from essay_scoring.scoring.distance_flag import learn_distance
from essay_scoring.scoring.flags import (
    ARRAYS,
    FACTS,
    FLAGS,
    Flags,
    learn_flags,
    read_flags,
    write_flags,
)
from essay_scoring.scoring.word_flags import learn_words, word_ids
from tests.scoring.made import new_essays

SPANISH = "La escuela es un lugar donde los alumnos aprenden cada dia cosas nuevas " * 20


def essays(*pairs: tuple[str, str]) -> Essays:
    texts, prompts = zip(*pairs, strict=True)
    return Essays(tuple(map(str, range(len(texts)))), texts, prompts)


def test_a_word_is_known_from_three_essays_on() -> None:
    learnt = learn_words(essays(*[("the cat sat", "a")] * 2, ("the cat ran", "b")))
    # "the" and "cat" are in 3 essays, "sat" in 2, "ran" in 1.
    assert sorted(learnt.known) == sorted(word_ids("the cat"))
    # Without prompt a one essay is left and without b two: nothing is known, all is unknown.
    assert learnt.most_unknown == 1.0


def test_unknown_words_are_counted_without_the_own_prompt() -> None:
    shared = [("one two three four", prompt) for prompt in "abcd"]
    learnt = learn_words(essays(*shared, *[("one two three own", "e")] * 3))
    # "own" is in three essays, all of prompt e: known to others, unknown in e: 1 word of 4.
    assert learnt.most_unknown == 0.25
    assert word_ids("own")[0] in learnt.known
    assert not learnt.many_unknown(word_ids("one two three never"))
    assert learnt.many_unknown(word_ids("one two never seen"))


def test_case_does_not_matter_and_no_word_is_no_language() -> None:
    assert (word_ids("The CAT") == word_ids("the cat")).all()
    learnt = learn_words(new_essays(40))
    assert learnt.off_language(word_ids("..."))
    assert learnt.many_unknown(word_ids("..."))


def test_distance_to_the_fifth_nearest_of_other_prompts() -> None:
    # Two prompts of five essays at 0 and 1 on one axis: each essay's fifth-nearest of the other
    # prompt is one step off. Mean 0.5, deviation 0.5: that is 2 deviations.
    vectors = np.array([[0.0]] * 5 + [[1.0]] * 5, dtype=np.float32)
    flag = learn_distance(vectors, ["a"] * 5 + ["b"] * 5)
    assert flag.farthest == pytest.approx(2.0)
    # At 1.9, 3 deviations above the mean, the five nearest are those at 1: 1.8 deviations off.
    assert not flag.is_far(np.array([[1.9]], dtype=np.float32))
    assert flag.is_far(np.array([[2.1]], dtype=np.float32))


@pytest.fixture(scope="module")
def learnt() -> Flags:
    train = new_essays(120)
    vectors = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    return learn_flags(train, vectors, seed=1)


def told(flags: Flags, text: str, prompt: str = "x", at: float = 0.0) -> set[str]:
    vector = np.full((1, 3), at, dtype=np.float32)
    return {
        name for name, holds in zip(FLAGS, flags.of(text, prompt, vector), strict=True) if holds
    }


def test_each_flag_is_raised_by_what_it_is_for(learnt: Flags) -> None:
    train = new_essays(120)
    usual = train.texts[3]
    assert told(learnt, usual) == set()
    assert told(learnt, usual, train.prompts[0]) == {"prompt_seen"}
    assert told(learnt, usual, at=50.0) == {"far_from_training"}
    assert told(learnt, " ".join(usual.split()[:30])) >= {"too_short"}
    assert told(learnt, usual * 9) >= {"too_long"}
    assert told(learnt, SPANISH) >= {"off_language", "many_unknown_words"}
    assert "off_language" in told(learnt, "\u4e2d\u6587 \u5b66\u6821 " * 150)


def test_few_essays_like_those_of_training_are_flagged(learnt: Flags) -> None:
    words = learnt.words
    found = [word_ids(text) for text in new_essays(120).texts]
    assert sum(map(words.off_language, found)) == 0
    assert sum(map(words.many_unknown, found)) <= 2


def test_what_is_saved_comes_back_and_holds_no_word(learnt: Flags, tmp_path: Path) -> None:
    write_flags(tmp_path, learnt)
    again = read_flags(tmp_path)
    assert again.facts == learnt.facts
    assert (again.words.known == learnt.words.known).all()
    assert (again.distance.reference == learnt.distance.reference).all()
    content = b"".join((tmp_path / name).read_bytes() for name in (FACTS, ARRAYS))
    assert b"because" not in content


def test_arrays_that_do_not_fit_are_refused(learnt: Flags, tmp_path: Path) -> None:
    write_flags(tmp_path, learnt)
    write_bytes(tmp_path / ARRAYS, b"no arrays")
    with pytest.raises(InputError, match="not the arrays"):
        read_flags(tmp_path)
