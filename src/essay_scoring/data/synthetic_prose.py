"""From what a writer can do to an essay: sentences, paragraphs and the errors made in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from essay_scoring.data import synthetic_words as lexicon

_VOWELS = "aeiou"
_T = TypeVar("_T")

_TOPIC_SHARE = 0.5
"""Share of the nouns that are topic words."""

_STRAY_SHARE = 0.06
"""Share of the topic words that belong to other prompts."""


@dataclass(frozen=True)
class WriterProfile:
    """What shows in an essay: error rates per chance to err, and shares from 0 to 1.

    `middle` and `rare` are shares of less common and of rare words; `complexity` is the chance of a
    second clause, `cohesion` of a connective. `dwelling` is the share of the prompt's own topic
    words that come from its first theme; the others come from the second.
    """

    spelling: float
    grammar: float
    punctuation: float
    middle: float
    rare: float
    complexity: float
    cohesion: float
    n_words: int
    n_paragraphs: int
    dwelling: float


@dataclass(frozen=True)
class Topic:
    """The two themes of a prompt, and those of the prompts that its essays stray to."""

    own: tuple[str, str]
    elsewhere: tuple[tuple[str, str], ...]


def write_essay(profile: WriterProfile, topic: Topic, rng: np.random.Generator) -> str:
    """Return an essay of at least `n_words` words in `n_paragraphs` paragraphs."""
    writer = _Writer(profile, topic, rng)
    share = -(-profile.n_words // profile.n_paragraphs)
    last = profile.n_paragraphs - 1
    return "\n\n".join(
        writer.paragraph(share, opens=number == 0, closes=number == last > 0)
        for number in range(profile.n_paragraphs)
    )


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(1024).tolist()


class _Writer:
    """Draws one number for each choice, in the order of the text."""

    def __init__(self, profile: WriterProfile, topic: Topic, rng: np.random.Generator) -> None:
        self._profile = profile
        self._topic = topic
        self._draw: Callable[[], float] = _uniforms(rng).__next__

    def paragraph(self, n_words: int, *, opens: bool, closes: bool) -> str:
        """Return sentences until there are `n_words` words."""
        cohesive = self._chance(self._profile.cohesion)
        sentences: list[str] = []
        if cohesive and (opens or closes):
            lead = "in this essay I will explain why" if opens else "in conclusion,"
            sentences.append(self._finish([*lead.split(), *self._clause()]))
        written = sum(sentence.count(" ") + 1 for sentence in sentences)
        while written < n_words:
            tokens = self._sentence()
            written += len(tokens)
            sentences.append(self._finish(tokens))
        return " ".join(sentences)

    def _sentence(self) -> list[str]:
        """Return the words of a sentence: one clause, two joined, or one under another."""
        lead: list[str] = []
        if self._chance(0.6 * self._profile.cohesion):
            lead = f"{self._tiered(lexicon.CONNECTIVES)},".split()
        elif self._chance(0.15):
            lead = self._pick(lexicon.OPINIONS).split()
        first = self._clause()
        if not self._chance(self._profile.complexity):
            return lead + first
        if self._chance(0.35):
            first[-1] += ","
            return [*lead, *first, self._pick(lexicon.COORDINATORS), *self._clause()]
        under = self._tiered(lexicon.SUBORDINATORS).split()
        if self._chance(0.5):
            return [*lead, *first, *under, *self._clause()]
        first[-1] += ","
        return [*lead, *under, *first, *self._clause()]

    def _clause(self) -> list[str]:
        """Return subject, verb and object, or subject, "be" and adjective."""
        subject, singular = self._subject()
        if self._chance(0.2):
            be = "am" if subject == ["I"] else "is" if singular else "are"
            if self._slips():
                be = "are" if be == "is" else "is"
            return [*subject, be, self._tiered(lexicon.ADJECTIVES), "for", *self._noun_phrase()]
        return [*subject, *self._verb(singular=singular), *self._noun_phrase()]

    def _subject(self) -> tuple[list[str], bool]:
        """Return the words of a subject and whether it is a third person singular."""
        kind = self._draw()
        if kind < 0.4:
            return self._pick(lexicon.PLURAL_SUBJECTS).split(), False
        if kind < 0.7:
            return self._pick(lexicon.SINGULAR_SUBJECTS).split(), True
        noun = self._noun()
        return (["the", noun], True) if kind < 0.85 else ([lexicon.plural(noun)], False)

    def _verb(self, *, singular: bool) -> list[str]:
        verb = self._tiered(lexicon.VERBS)
        if self._chance(0.3):
            slip = self._slips()
            return [self._pick(lexicon.MODALS), lexicon.third_person(verb) if slip else verb]
        adverb = [self._tiered(lexicon.ADVERBS)] if self._chance(0.2) else []
        # A slip takes the form that the other number would have.
        with_s = singular != self._slips()
        return [*adverb, lexicon.third_person(verb) if with_s else verb]

    def _noun_phrase(self) -> list[str]:
        noun = self._noun()
        adjective = [self._tiered(lexicon.ADJECTIVES)] if self._chance(0.4) else []
        kind = self._draw()
        if kind < 0.35:
            return [*adjective, lexicon.plural(noun)]
        if kind < 0.65:
            return ["the", *adjective, noun]
        described = [*adjective, noun]
        # A slip leaves the article out.
        return described if self._slips() else [lexicon.article(described[0]), *described]

    def _noun(self) -> str:
        """Return a topic word half of the time, whatever the writer can do."""
        if not self._chance(_TOPIC_SHARE):
            return self._tiered(lexicon.NOUNS)
        themes, first = self._topic.own, self._profile.dwelling
        if self._chance(_STRAY_SHARE):
            # Who dwells on the first theme here strays to the second themes of elsewhere.
            themes, first = self._pick(self._topic.elsewhere), 1 - first
        return self._pick(lexicon.THEMES[themes[0 if self._chance(first) else 1]])

    def _finish(self, tokens: list[str]) -> str:
        """Return the sentence as it is written down, with its spelling and punctuation errors."""
        words = [self._spell(token) for token in tokens]
        if not self._errs_in_punctuation():
            words[0] = words[0][:1].upper() + words[0][1:]
        return " ".join(words) + ("" if self._errs_in_punctuation() else ".")

    def _spell(self, token: str) -> str:
        word = token.removesuffix(",")
        comma = "," if word != token and not self._errs_in_punctuation() else ""
        if self._chance(self._profile.spelling):
            # Draws do not depend on the word, so that another topic word leaves the rest as it is.
            at, kind = self._draw(), self._draw()
            word = _misspell(word, 1 + int(at * (len(word) - 2)), kind) if len(word) > 3 else word
        return word + comma

    def _tiered(self, tiers: lexicon.Tiers) -> str:
        at = self._draw()
        if at < self._profile.rare:
            return self._pick(tiers[2])
        return self._pick(tiers[1 if at < self._profile.rare + self._profile.middle else 0])

    def _pick(self, options: Sequence[_T]) -> _T:
        return options[int(self._draw() * len(options))]

    def _chance(self, share: float) -> bool:
        return self._draw() < share

    def _slips(self) -> bool:
        return self._draw() < self._profile.grammar

    def _errs_in_punctuation(self) -> bool:
        return self._draw() < self._profile.punctuation


def _misspell(word: str, at: int, kind: float) -> str:
    """Return the word with a letter left out, doubled, swapped or, if a vowel, changed."""
    if kind < 0.3:
        return word[:at] + word[at + 1 :]
    if kind < 0.55:
        return word[:at] + word[at] + word[at:]
    if kind < 0.8 or word[at] not in _VOWELS:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    vowel = _VOWELS[(_VOWELS.index(word[at]) + 1 + int(kind * 97) % 4) % 5]
    return word[:at] + vowel + word[at + 1 :]
