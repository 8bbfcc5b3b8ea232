"""How predictable an essay is to a small language model: its surprise token by token.

Surprisal is -log p of a token after those before it (Hale 2001; Levy 2008), in nats.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject
from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.feature_settings import FeatureSettings, LanguageModelSettings
from essay_scoring.features.language_model import LanguageModel, TokenReading
from essay_scoring.features.sentences import paragraph_ends, sentence_ends

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

HIGH, VERY_HIGH = 5.0, 8.0
"""Nats from which a token counts as surprising, and as very surprising: p below 1/148, 1/2981."""

SURPRISAL = (
    "surprisal_mean",
    "surprisal_deviation",
    *(f"surprisal_p{100 * share:.0f}" for share in QUANTILES),
    "surprisal_high_share",
    "surprisal_very_high_share",
    "surprisal_per_character",
    "surprisal_trend",
    "entropy_mean",
    "entropy_deviation",
    "surprise_beyond_entropy_mean",
    "surprise_beyond_entropy_deviation",
    "foreseen_share",
    "sentence_surprisal_deviation",
    "sentence_surprisal_max",
    "paragraph_surprisal_deviation",
)


class SurprisalBlock:
    """Columns of a language model's surprise, NaN for a text of fewer than two tokens.

    Over all tokens that others stand before: mean, population deviation and quantiles of surprisal,
    shares of high and very high ones, nats per character, the second half's mean less the first's
    (trend); mean and deviation of entropy, and of surprisal less entropy; the share of tokens that
    were the likeliest. Then deviation and maximum of the sentences' mean surprisals, and the
    deviation of the paragraphs'.
    """

    name = feature_set = "surprisal"
    reads_prompt = False
    column_names = SURPRISAL

    @classmethod
    def of(cls, settings: FeatureSettings, cache: Path) -> Self:
        """Return the block of the settings' language model."""
        return cls(settings.language_model, cache)

    def __init__(self, settings: LanguageModelSettings, cache: Path) -> None:
        self._model = LanguageModel(settings, cache)

    @cached_property
    def identity(self) -> JsonObject:
        """All that changes a value: the model's hashes, how it is read, package versions."""
        return {"version": 1} | self._model.identity()

    def columns(self, essays: Essays) -> Columns:
        """Return (n, 19) columns; raise NotFiniteError where the model gave no finite number."""
        values = np.full((len(essays), len(SURPRISAL)), np.nan, dtype=np.float32)
        readings = self._model.read(essays.texts)
        for row, text, reading in zip(values, essays.texts, readings, strict=True):
            if len(reading.surprisal):
                row[:] = _measures(text, reading)
        return Columns(SURPRISAL, values)


def _measures(text: str, reading: TokenReading) -> FloatArray:
    """Return the columns of a text with at least two tokens, shape (19,)."""
    surprisal, entropy = reading.surprisal, reading.entropy
    beyond, half = surprisal - entropy, len(surprisal) // 2
    sentences = _means(surprisal, np.searchsorted(sentence_ends(text), reading.at, side="right"))
    paragraphs = _means(surprisal, np.searchsorted(paragraph_ends(text), reading.at, side="right"))
    return np.array(
        [
            surprisal.mean(),
            surprisal.std(),
            *np.quantile(surprisal, QUANTILES),
            (surprisal >= HIGH).mean(),
            (surprisal >= VERY_HIGH).mean(),
            surprisal.sum() / len(text),
            surprisal[half:].mean() - surprisal[:half].mean() if half else 0.0,
            entropy.mean(),
            entropy.std(),
            beyond.mean(),
            beyond.std(),
            reading.foreseen.mean(),
            sentences.std(),
            sentences.max(),
            paragraphs.std(),
        ]
    )


def _means(values: FloatArray, groups: np.ndarray) -> FloatArray:
    """Return the mean of the values of each group that has any."""
    _, at = np.unique(groups, return_inverse=True)
    means: FloatArray = np.bincount(at, weights=values) / np.bincount(at)
    return means
