"""Whole essays as chunks of token ids, made once for each text and kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.store import text_sha256
from essay_scoring.features.text_chunks import Chunk, chunk_texts, load_tokenizer
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.tensor_files import Packs

TokenIds = npt.NDArray[np.int32]
Counted = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TokenisedEssay:
    """All chunks of one essay, in reading order; at least one.

    `ids[c]` and `counted[c]` have one length: token ids with special ones, and 1 where the token
    enters the essay's mean (the overlap of chunks once, special tokens never), else 0. `key` names
    the text among all that were cut the same way.
    """

    key: str
    ids: tuple[TokenIds, ...]
    counted: tuple[Counted, ...]

    @property
    def tokens(self) -> int:
        """What a forward pass costs: the lengths of the chunks together."""
        return sum(map(len, self.ids))


def tokenise(
    essays: Essays, encoder: EncoderFolder, settings: TransformerSettings, cache: Path
) -> list[TokenisedEssay]:
    """Return every essay as chunks, from `cache`/tokens where it was cut before; n essays in order.

    Essays of one text are one object.
    """
    texts = {text_sha256(text): text for text in essays.texts}
    packs = Packs(cache / "tokens" / fingerprint(tokens_identity(encoder, settings))[:16])
    packs.refresh()
    missing = [key for key in texts if key not in packs]
    if missing:
        cut = _cut([texts[key] for key in missing], encoder, settings)
        packs.add(dict(zip(missing, map(_packed, cut), strict=True)))
    stored = packs.read(texts)
    made = {key: _unpacked(key, stored[key]) for key in texts}
    return [made[text_sha256(text)] for text in essays.texts]


def tokens_identity(encoder: EncoderFolder, settings: TransformerSettings) -> dict[str, object]:
    """Return all but the text that changes an essay's chunks."""
    return {
        "version": 1,
        "definition_sha256": encoder.definition_sha256,
        "max_length": settings.max_length,
        "overlap": settings.chunk_overlap_tokens,
        "transformers": version("transformers"),
        "tokenizers": version("tokenizers"),
    }


def _cut(
    texts: Sequence[str], encoder: EncoderFolder, settings: TransformerSettings
) -> list[list[Chunk]]:
    """Return the chunks of each text."""
    chunks: list[list[Chunk]] = [[] for _ in texts]
    for chunk in chunk_texts(
        load_tokenizer(encoder.path),
        texts,
        max_length=settings.max_length,
        overlap=settings.chunk_overlap_tokens,
    ):
        chunks[chunk.text].append(chunk)
    return chunks


def _packed(chunks: Sequence[Chunk]) -> Tensor:
    """Return chunks as (3, tokens) int32: ids, 1 where counted, and 1 where a chunk begins."""
    starts = [np.arange(len(chunk.ids)) == 0 for chunk in chunks]
    rows = (
        np.concatenate([chunk.ids for chunk in chunks]),
        np.concatenate([chunk.counted for chunk in chunks]),
        np.concatenate(starts),
    )
    return torch.from_numpy(np.stack([row.astype(np.int32) for row in rows]))


def _unpacked(key: str, packed: Tensor) -> TokenisedEssay:
    """Return the essay that `_packed` packed."""
    ids, counted, starts = packed.numpy()
    at = np.flatnonzero(starts)[1:]
    counts = np.split(counted.astype(np.float32), at)
    return TokenisedEssay(key, tuple(np.split(ids, at)), tuple(counts))
