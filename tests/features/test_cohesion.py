from __future__ import annotations

import math

import pytest

from essay_scoring.features import cohesion
from tests.features.made_annotations import EMPTY, parsed, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # however twice, therefore once: 2 distinct of 3.
        ("However, I left. I came back, however. Therefore I stayed.", 2 / 3),
        # in addition twice, because, finally: 3 of 4.
        ("In addition, in\naddition because of this. FINALLY.", 3 / 4),
        ("On the other hand, thus.", 1.0),
        ("because because because because because", 1 / 5),
        # "thus" is in "enthusiasm" and "hence" in "henceforth": neither is a word there.
        ("Her enthusiasm will henceforth grow.", 0.0),
        ("Nothing binds this.", 0.0),
        ("", 0.0),
    ],
)
def test_connective_diversity(text: str, expected: float) -> None:
    assert cohesion.connective_diversity(plain(text)) == pytest.approx(expected)


def test_every_connective_of_the_contract_is_found_as_a_whole_phrase() -> None:
    assert len(cohesion.CONNECTIVES) == 15
    text = plain(", ".join(cohesion.CONNECTIVES))
    assert cohesion.connectives(text) == list(cohesion.CONNECTIVES)


def test_lexical_overlap() -> None:
    # {the, cat, sat} and {the, dog, sat} share 2 of 4; the third sentence shares 0 of 5.
    three = plain("The cat sat . | The dog sat ! | Birds fly")
    assert cohesion.lexical_overlap(three) == pytest.approx((2 / 4 + 0) / 2)
    # Punctuation is no word and case no difference; paragraphs do not part neighbours.
    assert cohesion.lexical_overlap(plain("We run .", "we RUN !")) == 1.0
    assert math.isnan(cohesion.lexical_overlap(plain("Only one sentence .")))
    assert math.isnan(cohesion.lexical_overlap(EMPTY))


def test_pronoun_noun_ratio() -> None:
    # 1 pronoun to 1 noun and 1 proper noun.
    one = parsed("She PRON nsubj 2 / met VERB ROOT 0 / Ana PROPN dobj 2 / today NOUN npadvmod 2")
    assert cohesion.pronoun_noun_ratio(one) == 0.5
    two = parsed("I PRON nsubj 2 / saw VERB ROOT 0 / her PRON poss 4 / dog NOUN dobj 2")
    assert cohesion.pronoun_noun_ratio(two) == 2.0
    assert cohesion.pronoun_noun_ratio(parsed("dogs NOUN nsubj 2 / run VERB ROOT 0")) == 0.0
    assert math.isnan(cohesion.pronoun_noun_ratio(parsed("I PRON nsubj 2 / ran VERB ROOT 0")))
