"""Sentences and paragraphs of a text by its characters alone, the same in every version."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'\u201d\u2019)\]])\s+")
_PARAGRAPH_END = re.compile(r"[\n\r\u2028\u2029]+")


def sentences_by_paragraph(text: str) -> list[list[str]]:
    """Return the sentences of each paragraph, leaving out what holds no letter or digit.

    Paragraphs end at line ends; sentences also after `.`, `!` or `?`, with or without a closing
    quote or bracket, before white space. Abbreviations end a sentence too: that costs little here,
    and unlike a parser's sentences these do not change with a model's version.
    """
    paragraphs = []
    for paragraph in _PARAGRAPH_END.split(text):
        pieces = (" ".join(piece.split()) for piece in _SENTENCE_END.split(paragraph))
        sentences = [piece for piece in pieces if any(map(str.isalnum, piece))]
        if sentences:
            paragraphs.append(sentences)
    return paragraphs


def paragraph_ends(text: str) -> list[int]:
    """Return the positions in a text after which a paragraph begins, in order."""
    return [found.end() for found in _PARAGRAPH_END.finditer(text)]


def sentence_ends(text: str) -> list[int]:
    """Return the positions in a text after which a sentence begins, those of paragraphs too."""
    ends = {found.end() for found in _SENTENCE_END.finditer(text)}
    return sorted(ends.union(paragraph_ends(text)))
