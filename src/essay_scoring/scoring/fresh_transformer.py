"""A fine-tuned transformer that reads essays which are seen once, leaving nothing on disk."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from essay_scoring.core.essays import Essays
from essay_scoring.features.chunking import chunk_lengths, chunk_texts, load_tokenizer
from essay_scoring.models.transformer.scorer import TransformerScorer

if TYPE_CHECKING:
    from essay_scoring.features.chunking import TokenisedEssay
    from essay_scoring.models.transformer.thread_pool import ThreadPool


class FreshTransformer(TransformerScorer):
    """Reads like its parent, but cuts essays anew each time instead of keeping their tokens."""

    @classmethod
    def of(cls, scorer: TransformerScorer) -> Self:
        """Return what a loaded scorer is, with the same network."""
        fresh = cls(scorer.settings, scorer.training, scorer.context)
        fresh.network, fresh.facts = scorer.network, scorer.facts
        return fresh

    def _tokenise(self, essays: Essays, _crew: ThreadPool) -> list[TokenisedEssay]:
        return chunk_texts(self._tokenizer, essays.texts, **chunk_lengths(self.settings.encoder))

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._encoder.path)
