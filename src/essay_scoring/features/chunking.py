"""Whole essays as chunks of token ids: nothing cut off, and every token counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from essay_scoring.core.contracts import JsonObject
from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.text import text_sha256
from essay_scoring.features.encoder_loading import encoder_files
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.feature_settings import EncoderSettings, ReadingSettings
from essay_scoring.features.plain_tokenizer import plain_tokenizer
from essay_scoring.features.tensor_store import TensorStore

TokenIds = npt.NDArray[np.int32]
Counted = npt.NDArray[np.float32]

_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)


class ChunkLengths(TypedDict):
    """How many tokens a chunk has at most, and how many it shares with the next."""

    max_length: int
    overlap: int


@dataclass(frozen=True, eq=False)
class TokenisedEssay:
    """All chunks of one essay, in reading order; at least one.

    `ids[c]` and `counted[c]` have one length: token ids with special ones, and 1 where the token
    enters the essay's mean (the overlap of chunks once), else 0. `key` is the sha256 of the text.
    """

    key: str
    ids: tuple[TokenIds, ...]
    counted: tuple[Counted, ...]

    @property
    def tokens(self) -> int:
        """What a forward pass costs: the lengths of the chunks together."""
        return sum(map(len, self.ids))


def tokenise(
    texts: Sequence[str], encoder: EncoderFolder, settings: EncoderSettings, cache: Path
) -> list[TokenisedEssay]:
    """Return every text as chunks, from `cache`/tokens where it was cut before; n texts in order.

    Equal texts are one object.
    """
    by_key = {text_sha256(text): text for text in texts}
    store = TensorStore(cache / "tokens", tokens_identity(encoder, settings))

    def cut(_: str, keys: list[str]) -> dict[str, TokenIds]:
        tokenizer, lengths = load_tokenizer(encoder.path), chunk_lengths(settings)
        return {
            essay.key: _packed(essay)
            for essay in chunk_texts(tokenizer, [by_key[key] for key in keys], **lengths)
        }

    store.fill({"": by_key}, cut)
    stored = store.read("", by_key)
    made = {key: _unpacked(key, packed) for key, packed in stored.items()}
    return [made[text_sha256(text)] for text in texts]


def chunk_lengths(settings: ReadingSettings) -> ChunkLengths:
    """Return how long chunks are and how many tokens they share, as `chunk_texts` takes them."""
    return ChunkLengths(max_length=settings.max_length, overlap=settings.overlap)


def tokens_identity(encoder: EncoderFolder, settings: EncoderSettings) -> JsonObject:
    """Return all but the text that changes an essay's chunks."""
    return {
        "version": 2,
        "definition_sha256": encoder.definition_sha256,
        "max_length": settings.max_length,
        "overlap": settings.overlap,
        "transformers": version("transformers"),
        "tokenizers": version("tokenizers"),
    }


def load_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer of an encoder folder; raise InputError if it has none."""
    with encoder_files(folder):
        return _tokenizer(folder)


def _tokenizer(folder: Path) -> Any:
    if (plain := plain_tokenizer(folder)) is not None:
        return plain
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingExtraError("transformers", "transformer") from None
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        # transformers would make up an empty tokenizer, to which every word is unknown.
        raise _no_tokenizer(folder, "there is no tokenizer")
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, use_fast=True, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, ImportError) as error:
        raise _no_tokenizer(folder, f"the tokenizer cannot be loaded ({error})") from None
    if not tokenizer.is_fast:
        raise _no_tokenizer(folder, "the tokenizer is not a fast one")
    # Some encoders cut from the left; `chunk_texts` relies on chunks in reading order.
    tokenizer.truncation_side = "right"
    return tokenizer


def _no_tokenizer(folder: Path, what: str) -> InputError:
    mend = "use an encoder whose folder holds tokenizer.json"
    return InputError(what, where=str(folder), mend=mend)


def chunk_texts(
    tokenizer: Any,
    texts: Sequence[str],
    *,
    max_length: int,
    overlap: int,
    count_special: bool = False,
) -> list[TokenisedEssay]:
    """Return each text as chunks of at most `max_length` ids, special ones included; n in order.

    Neighbouring chunks share `overlap` tokens. The first half of those is counted in the earlier
    chunk and the rest in the later one, so each is read where it has more context and none is
    counted twice. Special tokens are counted only with `count_special`. Text that spells a special
    token ("[SEP]") is read as ordinary characters.
    """
    if not texts:
        return []
    encoded = tokenizer(
        list(texts),
        truncation=True,
        max_length=max_length,
        stride=overlap,
        return_overflowing_tokens=True,
        return_special_tokens_mask=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        split_special_tokens=True,
    )
    owners: list[int] = encoded["overflow_to_sample_mapping"]
    ids: list[list[TokenIds]] = [[] for _ in texts]
    counts: list[list[Counted]] = [[] for _ in texts]
    for at, owner in enumerate(owners):
        special = np.asarray(encoded["special_tokens_mask"][at], dtype=bool)
        continues = at > 0 and owners[at - 1] == owner
        continued = at + 1 < len(owners) and owners[at + 1] == owner
        counted = _counted(special, continues * overlap, continued * overlap)
        ids[owner].append(np.asarray(encoded["input_ids"][at], dtype=np.int32))
        counts[owner].append(counted + special if count_special else counted)
    return [
        TokenisedEssay(text_sha256(text), tuple(chunks), tuple(counted))
        for text, chunks, counted in zip(texts, ids, counts, strict=True)
    ]


def _counted(special: npt.NDArray[np.bool_], shared_before: int, shared_after: int) -> Counted:
    """Return 1 for the ordinary tokens that this chunk counts of those it shares and of its own."""
    ordinary = np.flatnonzero(~special)
    first = shared_before // 2
    last = len(ordinary) - (shared_after - shared_after // 2)
    counted = np.zeros(len(special), dtype=np.float32)
    counted[ordinary[first:last]] = 1.0
    return counted


def _packed(essay: TokenisedEssay) -> TokenIds:
    """Return chunks as (3, tokens) int32: ids, 1 where counted, and 1 where a chunk begins."""
    starts = [np.arange(len(ids)) == 0 for ids in essay.ids]
    rows = [np.concatenate(row) for row in (essay.ids, essay.counted, starts)]
    return np.stack([row.astype(np.int32) for row in rows])


def _unpacked(key: str, packed: TokenIds) -> TokenisedEssay:
    """Return the essay that `_packed` packed."""
    ids, counted, starts = packed
    at = np.flatnonzero(starts)[1:]
    counts = np.split(counted.astype(np.float32), at)
    return TokenisedEssay(key, tuple(np.split(ids, at)), tuple(counts))


def batches_by_length(
    lengths: Sequence[int], budget: int, most: int | None = None
) -> list[list[int]]:
    """Return positions in batches of similar length, longest first, the same for the same lengths.

    A batch holds at most `budget` tokens after padding to its longest (or one single item), and at
    most `most` items.
    """
    batches: list[list[int]] = []
    room = 0
    for position in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if room == 0:
            batches.append([])
            room = max(1, budget // max(1, lengths[position]))
            room = room if most is None else min(room, most)
        batches[-1].append(position)
        room -= 1
    return batches
