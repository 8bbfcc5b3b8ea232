"""A fine-tuned transformer that reads essays which are seen once, leaving nothing on disk."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from essay_scoring.core.essays import Essays
from essay_scoring.features.text_chunks import chunk_texts, load_tokenizer
from essay_scoring.models.transformer.scorer import TransformerScorer

if TYPE_CHECKING:
    from essay_scoring.models.transformer.chunking import TokenisedEssay
    from essay_scoring.models.transformer.thread_pool import Crew


class FreshTransformer(TransformerScorer):
    """Reads like its parent, but cuts essays anew each time instead of keeping their tokens."""

    @classmethod
    def of(cls, scorer: TransformerScorer) -> Self:
        """Return what a loaded scorer is, with the same network."""
        fresh = cls(scorer.settings, scorer.training, scorer.context)
        fresh.network, fresh.facts = scorer.network, scorer.facts
        return fresh

    def _tokenise(self, essays: Essays, _crew: Crew) -> list[TokenisedEssay]:
        from essay_scoring.models.transformer.chunking import TokenisedEssay

        settings = self.settings
        chunks = chunk_texts(
            self._tokenizer,
            essays.texts,
            max_length=settings.max_length,
            overlap=settings.chunk_overlap_tokens,
        )
        mine: list[list[Any]] = [[] for _ in essays.texts]
        for chunk in chunks:
            mine[chunk.text].append(chunk)
        return [
            TokenisedEssay(
                essay_id,
                tuple(np.asarray(chunk.ids, dtype=np.int32) for chunk in parts),
                tuple(np.asarray(chunk.counted, dtype=np.float32) for chunk in parts),
            )
            for essay_id, parts in zip(essays.ids, mine, strict=True)
        ]

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._encoder.path)
