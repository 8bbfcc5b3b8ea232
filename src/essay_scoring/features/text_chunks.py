"""Texts as chunks of token ids: nothing cut off, and every token counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from essay_scoring.core.errors import InputError, MissingExtraError

_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)


@dataclass(frozen=True, eq=False)
class Chunk:
    """A stretch of text number `text` that fits the encoder.

    `ids` are token ids with the encoder's own special tokens; `counted` (same length) is 1 where
    this chunk's reading of a token enters the text's mean, else 0.
    """

    text: int
    ids: list[int]
    counted: npt.NDArray[np.float32]


def load_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer of an encoder folder; raise InputError if it has none."""
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
) -> list[Chunk]:
    """Return the chunks of every text, in order: at most `max_length` ids, special ones included.

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
    chunks = []
    for at, (owner, ids) in enumerate(zip(owners, encoded["input_ids"], strict=True)):
        special = np.asarray(encoded["special_tokens_mask"][at], dtype=bool)
        continues = at > 0 and owners[at - 1] == owner
        continued = at + 1 < len(owners) and owners[at + 1] == owner
        counted = _counted(special, continues * overlap, continued * overlap)
        chunks.append(Chunk(owner, ids, counted + special if count_special else counted))
    return chunks


def _counted(
    special: npt.NDArray[np.bool_], shared_before: int, shared_after: int
) -> npt.NDArray[np.float32]:
    """Return 1 for the ordinary tokens that this chunk counts of those it shares and of its own."""
    ordinary = np.flatnonzero(~special)
    first = shared_before // 2
    last = len(ordinary) - (shared_after - shared_after // 2)
    counted = np.zeros(len(special), dtype=np.float32)
    counted[ordinary[first:last]] = 1.0
    return counted


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
