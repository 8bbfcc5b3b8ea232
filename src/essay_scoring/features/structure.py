"""Structure: how an essay is laid out. All of these are 0 for an empty text."""

from __future__ import annotations

import re

from essay_scoring.features.annotation import Annotation, is_word, straight_quotes

MIN_INTRO_WORDS = 20
MAX_INTRO_SHARE = 0.5
CLOSING_SHARE = 0.2

# How a closing sentence opens. Learners' spellings of "conclusion" vary after "conclu".
_CLOSING = re.compile(
    r"(?:(?:and|but|so|well|now)\b ?,? ?)?(?:"
    r"(?:in|as a|for|on|my) conclu\w+|to conclude|conclusion|concluding"
    r"|in (?:summary|short|closing)"
    r"|to (?:sum|wrap) (?:it |this |everything )?(?:all )?up|summing up|to summari[sz]e"
    r"|in the end|all in all|overall|finally|lastly|last but not least|therefore|thus|hence"
    r"|for (?:all )?(?:these|those|this|that) reasons?|(?:this|that|these|those) (?:is|'s|are) why"
    r"|as a result|as you can see|in general"
    r")\b"
)


def paragraph_count(a: Annotation) -> float:
    """Return the paragraphs that hold a word (`annotation.paragraph_spans` says where they end)."""
    return float(len(a.paragraphs))


def has_intro(a: Annotation) -> float:
    """Return 1 where the first of several paragraphs is an introduction by its size, else 0.

    It has at least MIN_INTRO_WORDS words (so it is no title or greeting) and at most half of all.
    """
    if len(a.paragraphs) < 2:
        return 0.0
    sizes = [sum(map(is_word, a.tokens[start:stop])) for start, stop in a.paragraphs]
    return float(MIN_INTRO_WORDS <= sizes[0] <= MAX_INTRO_SHARE * sum(sizes))


def has_conclusion(a: Annotation) -> float:
    """Return 1 where a sentence of the closing part opens with a closing phrase, else 0.

    The closing part is the last of several paragraphs, or the last fifth (at least one, never the
    first) of the sentences of a text in one paragraph.
    """
    closing = (
        straight_quotes(" ".join(a.tokens[start:stop])).lower()
        for start, stop in _closing_sentences(a)
    )
    return float(any(_CLOSING.match(sentence) for sentence in closing))


def _closing_sentences(a: Annotation) -> list[tuple[int, int]]:
    """Return the sentences of the closing part, as spans of tokens."""
    if len(a.paragraphs) > 1:
        return [span for span in a.sentences if span[0] >= a.paragraphs[-1][0]]
    n_closing = max(1, int(len(a.sentences) * CLOSING_SHARE))
    return list(a.sentences[1:][-n_closing:])
