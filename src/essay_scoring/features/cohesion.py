"""Cohesion: what ties an essay's sentences together."""

from __future__ import annotations

import re
from itertools import pairwise

from essay_scoring.features.annotation import Annotation
from essay_scoring.features.surface import ratio

CONNECTIVES = (
    "however", "therefore", "moreover", "furthermore", "nevertheless", "thus", "hence",
    "consequently", "although", "because", "meanwhile", "additionally", "finally", "in addition",
    "on the other hand",
)  # fmt: skip

# Whole words only: "thus" is no part of "enthusiasm". A phrase may run over a line end.
_CONNECTIVE = re.compile(
    r"\b(?:" + "|".join(phrase.replace(" ", r"\s+") for phrase in CONNECTIVES) + r")\b"
)
_NOUNS = frozenset({"NOUN", "PROPN"})


def connectives(a: Annotation) -> list[str]:
    """Return the connectives of the text in order, lower case, single spaces."""
    return [" ".join(found.split()) for found in _CONNECTIVE.findall(a.text.lower())]


def connective_diversity(a: Annotation) -> float:
    """Return distinct / total connectives, 0 to 1; 0 for a text without connectives."""
    found = connectives(a)
    return ratio(len(set(found)), len(found)) if found else 0.0


def lexical_overlap(a: Annotation) -> float:
    """Return the mean Jaccard similarity of adjacent sentences' word sets, 0 to 1.

    NaN for fewer than two sentences.
    """
    sets = [frozenset(words) for words in a.sentence_words]
    shares = [len(one & two) / len(one | two) for one, two in pairwise(sets)]
    return ratio(sum(shares), len(shares))


def pronoun_noun_ratio(a: Annotation) -> float:
    """Return pronouns / (common and proper nouns); NaN for no nouns."""
    return ratio(a.pos.count("PRON"), sum(pos in _NOUNS for pos in a.pos))
