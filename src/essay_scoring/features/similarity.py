"""How an essay's sentences and paragraphs relate to each other and to its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject, Matrix
from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.text import name_key, plain_text
from essay_scoring.features.encoders import EMBEDDED
from essay_scoring.features.feature_settings import EncoderSettings, FeatureSettings
from essay_scoring.features.frozen_encoder import FrozenEncoder
from essay_scoring.features.sentences import sentences_by_paragraph

SIMILARITY = (
    "sent_similarity_variance",
    "prompt_similarity",
    "intro_prompt_sim",
    "min_para_relevance",
)

_LAST_LAYER = 6
"""Of the embedded encoder: the one that it was trained to be read at."""


@dataclass(frozen=True, eq=False)
class _Sentences:
    """Distinct sentences: `rows` by text, `units` (n, width) of length 1, `tokens` (n,)."""

    rows: dict[str, int]
    units: FloatArray
    tokens: FloatArray

    def mean(self, sentences: Sequence[str]) -> FloatArray:
        """Return the token-weighted mean of the sentences' unit vectors, made of length 1."""
        at = [self.rows[sentence] for sentence in sentences]
        # A product by a BLAS library would round differently with its number of threads.
        return _unit(np.einsum("i,ij->j", self.tokens[at], self.units[at]))


class SimilarityBlock:
    """Four columns of cosines, always by the embedded encoder's last layer, mean-pooled.

    A prompt is what it asked, where `prompt_texts` has it by the prompt's name, else its name.

    An essay's and a paragraph's vector is the token-weighted mean of its sentences' unit vectors
    (Reimers and Gurevych 2019 for the sentence vectors). A text without sentences has NaN in all
    four columns, a blank prompt name NaN in the three that need it, and an essay of fewer than
    three sentences a variance of 0, having at most one pair.
    """

    name = "similarity"
    feature_set = "handcrafted"
    reads_prompt = True
    column_names = SIMILARITY

    @classmethod
    def of(cls, settings: FeatureSettings, cache: Path) -> Self:
        """Return the block, which reads with one encoder whatever the settings."""
        return cls(cache, settings.prompt_texts)

    def __init__(self, cache: Path, prompt_texts: Mapping[str, str] | None = None) -> None:
        self._asked: dict[str, list[str]] = {}
        self.ask(prompt_texts or {})
        settings = EncoderSettings(name=EMBEDDED, layers=(_LAST_LAYER,))
        self._encoder = FrozenEncoder(settings, cache, sentences=True)

    @cached_property
    def identity(self) -> JsonObject:
        """All that changes a value but for the prompt; the encoder's hash tells which one read."""
        return {"version": 2} | self._encoder.identity()

    def ask(self, prompt_texts: Mapping[str, str]) -> None:
        """Know what more prompts asked, by their names in any spelling."""
        for name, text in prompt_texts.items():
            paragraphs = sentences_by_paragraph(plain_text(text))
            if sentences := [sentence for paragraph in paragraphs for sentence in paragraph]:
                self._asked[name_key(name)] = sentences

    def asked(self, prompt: str) -> str:
        """Return a hash of what a prompt asked, "" where its name alone is read."""
        sentences = self._asked.get(name_key(prompt))
        return fingerprint(sentences) if sentences else ""

    def columns(self, essays: Essays) -> Columns:
        """Return (n, 4) cosines and their variance; raise NotFiniteError on a failed encoder."""
        texts = [sentences_by_paragraph(text) for text in essays.texts]
        distinct = {s: None for text in texts for paragraph in text for s in paragraph}
        prompts = {prompt: self._sentences(prompt) for prompt in dict.fromkeys(essays.prompts)}
        distinct |= {sentence: None for asked in prompts.values() for sentence in asked}
        vectors = self._read(list(distinct))
        values = np.full((len(essays), len(SIMILARITY)), np.nan, dtype=np.float32)
        for row, (paragraphs, prompt) in enumerate(zip(texts, essays.prompts, strict=True)):
            if paragraphs:
                values[row] = _measures(paragraphs, prompts[prompt], vectors)
        return Columns(SIMILARITY, values)

    def _sentences(self, prompt: str) -> list[str]:
        """Return what stands for a prompt: the sentences of what it asked, or its name."""
        named = [prompt] if prompt.strip() else []
        return self._asked.get(name_key(prompt), named)

    def _read(self, sentences: list[str]) -> _Sentences:
        """Encode each sentence once."""
        if not sentences:
            return _Sentences({}, np.zeros((0, 1)), np.zeros(0))
        means, tokens = self._encoder.means(sentences)
        if not np.isfinite(means).all():
            raise NotFiniteError("the similarity encoder gave a vector that is not finite")
        rows = {sentence: row for row, sentence in enumerate(sentences)}
        return _Sentences(rows, _unit(means[:, 0].astype(np.float64)), tokens.astype(np.float64))


def _measures(paragraphs: list[list[str]], prompt: list[str], vectors: _Sentences) -> Matrix:
    """Return the four columns of an essay that has at least one sentence; a prompt may have none.

    A name is one sentence, whose unit vector is taken as it is.
    """
    flat = [sentence for paragraph in paragraphs for sentence in paragraph]
    units = vectors.units[[vectors.rows[sentence] for sentence in flat]]
    adjacent = np.einsum("ij,ij->i", units[:-1], units[1:])
    variance = float(adjacent.var()) if len(adjacent) else 0.0
    if not prompt:
        return np.asarray([variance, np.nan, np.nan, np.nan], dtype=np.float32)
    target = vectors.mean(prompt) if len(prompt) > 1 else vectors.units[vectors.rows[prompt[0]]]
    relevance = [float(vectors.mean(paragraph) @ target) for paragraph in paragraphs]
    whole = float(vectors.mean(flat) @ target)
    return np.asarray([variance, whole, relevance[0], min(relevance)], dtype=np.float32)


def _unit(vectors: FloatArray) -> FloatArray:
    """Return vectors scaled to length 1 along the last axis; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit
