"""Lengths and readability: features of an essay's words and sentences as they stand.

A measure over nothing (no words, no sentences) is NaN; a count of nothing is 0.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from essay_scoring.core import text as core_text
from essay_scoring.features.annotation import Annotation
from essay_scoring.features.syllables import count_syllables

Feature = Callable[[Annotation], float]


def word_count(a: Annotation) -> float:
    """Return the runs of letters and digits, as `core.text.word_count` counts them."""
    return float(core_text.word_count(a.text))


def avg_word_length(a: Annotation) -> float:
    """Return the mean letters and digits of a word."""
    return ratio(_characters(a), len(a.words))


def avg_sentence_length(a: Annotation) -> float:
    """Return the mean words of a sentence."""
    return ratio(len(a.words), len(a.sentences))


def sentence_length_deviation(a: Annotation) -> float:
    """Return the population deviation of the sentences' lengths in word tokens; one has 0."""
    lengths = [len(words) for words in a.sentence_words]
    return statistics.pstdev(lengths) if lengths else math.nan


def lower_case_starts(a: Annotation) -> float:
    """Return the share of sentences that open with a lower-case letter, 0 to 1."""
    openings = [a.tokens[start] for start, _ in a.sentences]
    return ratio(sum(opening[0].islower() for opening in openings), len(openings))


def flesch_kincaid(a: Annotation) -> float:
    """Return the grade level 0.39 W/S + 11.8 Y/W - 15.59 (Kincaid et al. 1975).

    W words, S sentences, Y syllables.
    """
    syllables = sum(map(count_syllables, a.words))
    return 0.39 * avg_sentence_length(a) + 11.8 * ratio(syllables, len(a.words)) - 15.59


def smog(a: Annotation) -> float:
    """Return the grade level 3.1291 + 1.0430 sqrt(30 P/S) (McLaughlin 1969).

    P words of three syllables or more, S sentences.
    """
    polysyllables = sum(count_syllables(word) >= 3 for word in a.words)
    return 3.1291 + 1.0430 * math.sqrt(30.0 * ratio(polysyllables, len(a.sentences)))


def coleman_liau(a: Annotation) -> float:
    """Return the grade level 0.0588 L - 0.296 S - 15.8 (Coleman and Liau 1975).

    L letters and S sentences per 100 words.
    """
    letters = sum(sum(map(str.isalpha, word)) for word in a.words)
    per_word = ratio(letters, len(a.words)), ratio(len(a.sentences), len(a.words))
    return 5.88 * per_word[0] - 29.6 * per_word[1] - 15.8


def ari(a: Annotation) -> float:
    """Return the automated readability index 4.71 C/W + 0.5 W/S - 21.43 (Senter and Smith 1967).

    C letters and digits, W words, S sentences.
    """
    return 4.71 * avg_word_length(a) + 0.5 * avg_sentence_length(a) - 21.43


def ratio(part: float, whole: float) -> float:
    """Return part / whole; NaN where the whole is 0."""
    return part / whole if whole else math.nan


def _characters(a: Annotation) -> int:
    """Return the letters and digits of all words."""
    return sum(map(_length, a.words))


def _length(word: str) -> int:
    """Return a word's letters and digits, its apostrophes left out."""
    return len(word) - word.count("'")
