from __future__ import annotations

from itertools import pairwise

import pytest

from essay_scoring.features.sentences import (
    paragraph_ends,
    sentence_ends,
    sentences_by_paragraph,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", [["One.", "Two!", "Three?"]]),
        ('He said "no." Then (he left.) Why', [['He said "no."', "Then (he left.)", "Why"]]),
        ("It costs 3.50 dollars.Really", [["It costs 3.50 dollars.Really"]]),
        ("First line\nsecond  line.\r\n\r\n\nThird", [["First line"], ["second line."], ["Third"]]),
        ("Well... yes. !!! -- ", [["Well...", "yes."]]),
        (" \n ?! \n", []),
        ("", []),
    ],
)
def test_sentences_and_paragraphs(text: str, expected: list[list[str]]) -> None:
    assert sentences_by_paragraph(text) == expected
    # A sentence begins where the text does, and after every end.
    starts = [0, *sentence_ends(text)]
    pieces = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    told = [sentence for paragraph in expected for sentence in paragraph]
    spoken = [" ".join(piece.split()) for piece in pieces if any(map(str.isalnum, piece))]
    assert spoken == told
    assert set(paragraph_ends(text)) <= set(starts)
