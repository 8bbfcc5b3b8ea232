"""Lexical diversity: how many different words an essay has. NaN for a text without words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from essay_scoring.features.annotation import Annotation
from essay_scoring.features.surface import ratio

MATTR_WINDOW = 50
MTLD_THRESHOLD = 0.72


def ttr(a: Annotation) -> float:
    """Return types / tokens of the lower-case words, 0 to 1; it falls as a text grows."""
    return ratio(len(set(a.words)), len(a.words))


def guiraud(a: Annotation) -> float:
    """Return types / sqrt(tokens), the root type-token ratio (Guiraud 1954)."""
    return ratio(len(set(a.words)), math.sqrt(len(a.words)))


def mattr(a: Annotation) -> float:
    """Return the mean type-token ratio of all windows of 50 words (Covington and McFall 2010).

    A shorter text is its own and only window.
    """
    words, width = a.words, MATTR_WINDOW
    if len(words) <= width:
        return ttr(a)
    counts = Counter(words[:width])
    types = len(counts)
    for entering, leaving in zip(words[width:], words, strict=False):
        counts[entering] += 1
        counts[leaving] -= 1
        if not counts[leaving]:
            del counts[leaving]
        types += len(counts)
    return types / (len(words) - width + 1) / width


def mtld(a: Annotation) -> float:
    """Return the measure of textual lexical diversity (McCarthy and Jarvis 2010).

    The mean length of runs of words whose type-token ratio stays at 0.72 or above, averaged over
    reading forwards and backwards.
    """
    if not a.words:
        return math.nan
    return (_mean_run(a.words) + _mean_run(reversed(a.words))) / 2


def _mean_run(words: Iterable[str]) -> float:
    """Return tokens / factors, the unfinished last run counted by how far it has come.

    A text that repeats no word has no factor at all: its length, a lower bound, stands in.
    """
    factors, total, tokens = 0.0, 0, 0
    types: set[str] = set()
    for word in words:
        total, tokens = total + 1, tokens + 1
        types.add(word)
        if len(types) / tokens < MTLD_THRESHOLD:
            factors += 1
            tokens = 0
            types.clear()
    if tokens:
        factors += (1 - len(types) / tokens) / (1 - MTLD_THRESHOLD)
    return total / factors if factors else float(total)
