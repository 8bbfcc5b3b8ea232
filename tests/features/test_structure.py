from __future__ import annotations

import pytest

from essay_scoring.features.structure import has_conclusion, has_intro, paragraph_count
from tests.features.made_annotations import EMPTY, plain

TWENTY = "word " * 19 + "word ."
SHORT = "word " * 18 + "word ."


def test_paragraph_count() -> None:
    assert [paragraph_count(a) for a in (plain("One ."), plain("One .", "Two ."), EMPTY)] == [
        1,
        2,
        0,
    ]


@pytest.mark.parametrize(
    ("paragraphs", "expected"),
    [
        # 20 of 40 words: long enough, and just half.
        ((TWENTY, TWENTY), 1.0),
        ((TWENTY, TWENTY, TWENTY), 1.0),
        # 19 words: a title or greeting. 20 of 39: more than half, so the body has begun.
        ((SHORT, TWENTY, TWENTY), 0.0),
        ((TWENTY, SHORT), 0.0),
        # One paragraph opens nothing.
        ((TWENTY,), 0.0),
        (("",), 0.0),
    ],
)
def test_has_intro(paragraphs: tuple[str, ...], expected: float) -> None:
    assert has_intro(plain(*paragraphs)) == expected


@pytest.mark.parametrize(
    ("paragraphs", "expected"),
    [
        (("We agree .", "It is good . | In conclusion , we agree ."), 1.0),
        (("We agree .", "And that is why we agree ."), 1.0),
        (("We agree .", "That \u2019s why we agree ."), 1.0),
        # The phrase opens an earlier paragraph, or stands inside a sentence, or inside a word.
        (("Finally we agree .", "It is good ."), 0.0),
        (("We agree .", "It was good in the end ."), 0.0),
        (("We agree .", "Overalls are good ."), 0.0),
        # One paragraph: the last of four sentences closes it, the third does not.
        (("A . | B . | C . | Overall it is good .",), 1.0),
        (("A . | B . | Overall it is good . | D .",), 0.0),
        # A single sentence is all body.
        (("Overall it is good .",), 0.0),
        (("",), 0.0),
    ],
)
def test_has_conclusion(paragraphs: tuple[str, ...], expected: float) -> None:
    assert has_conclusion(plain(*paragraphs)) == expected
