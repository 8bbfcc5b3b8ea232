"""How much of the essays an encoder would lose to truncation, and how chunks keep it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject
from essay_scoring.core.essays import Essays
from essay_scoring.features.chunking import chunk_lengths, chunk_texts, load_tokenizer
from essay_scoring.features.encoders import EncoderFolder, resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings


class CoverageBlock:
    """Columns `tokens`, `chunks` and `tokens_beyond` (those after the first `max_length`)."""

    name = feature_set = "coverage"
    reads_prompt = False
    column_names = ("tokens", "chunks", "tokens_beyond")

    def __init__(self, settings: EncoderSettings, cache: Path) -> None:
        self._settings, self._cache = settings, cache

    @cached_property
    def identity(self) -> JsonObject:
        """All that changes a value: the tokenizer's files and the chunks' lengths."""
        return {
            "version": 1,
            "definition_sha256": self._folder.definition_sha256,
            "max_length": self._settings.max_length,
            "overlap": self._settings.overlap,
        }

    def columns(self, essays: Essays) -> Columns:
        """Return one row of counts per essay."""
        tokenizer, settings = self._tokenizer, self._settings
        values = np.zeros((len(essays), 3), dtype=np.float32)
        for row, essay in zip(
            values, chunk_texts(tokenizer, essays.texts, **chunk_lengths(settings)), strict=True
        ):
            row[:2] = sum(counted.sum() for counted in essay.counted), len(essay.ids)
        room = settings.max_length - tokenizer.num_special_tokens_to_add()
        values[:, 2] = np.maximum(values[:, 0] - room, 0)
        return Columns(self.column_names, values)

    @cached_property
    def _folder(self) -> EncoderFolder:
        return resolve_encoder(self._settings, self._cache)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._folder.path)


def truncation_coverage(columns: Columns, settings: EncoderSettings) -> dict[str, float | int]:
    """Return the figures of truncation_coverage.json from the columns of a CoverageBlock."""
    _, chunks, beyond = columns.values.astype(np.float64).T
    return {
        "pct_essays_exceeding_max_length": round(100 * float((beyond > 0).mean()), 3),
        "avg_tokens_truncated_before_chunking": round(float(beyond.mean()), 3),
        "avg_chunks_per_essay": round(float(chunks.mean()), 3),
        "p95_chunks_per_essay": float(np.percentile(chunks, 95)),
        "max_length": settings.max_length,
        "chunk_overlap_tokens": settings.overlap,
    }
