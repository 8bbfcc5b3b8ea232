"""The tokenizer of a BERT from its tokenizer.json, without importing transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from essay_scoring.core.files import read_json

_CLASSES = ("BertTokenizer", "BertTokenizerFast")
_NORMALIZER = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "tokenize_chinese_chars",
}
"""Options of the file, and what transformers calls them where it makes them anew."""


class Encoded(TypedDict):
    """Chunks of texts, as a fast tokenizer of transformers returns them."""

    input_ids: list[list[int]]
    special_tokens_mask: list[list[int]]
    overflow_to_sample_mapping: list[int]


class PlainTokenizer:
    """Cuts texts into chunks; a special token that a text spells is ordinary characters to it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True

    def num_special_tokens_to_add(self) -> int:
        """Return how many tokens of a chunk are not the text's."""
        return int(self._tokenizer.num_special_tokens_to_add(is_pair=False))

    def __call__(self, texts: Sequence[str], *, max_length: int, stride: int, **_: bool) -> Encoded:
        """Return chunks of at most `max_length` tokens, neighbours sharing `stride` of them."""
        self._tokenizer.enable_truncation(max_length, stride=stride)
        encodings = self._tokenizer.encode_batch(list(texts))
        chunks = [
            (owner, chunk)
            for owner, encoding in enumerate(encodings)
            for chunk in (encoding, *encoding.overflowing)
        ]
        return Encoded(
            input_ids=[chunk.ids for _, chunk in chunks],
            special_tokens_mask=[chunk.special_tokens_mask for _, chunk in chunks],
            overflow_to_sample_mapping=[owner for owner, _ in chunks],
        )


def plain_tokenizer(folder: Path) -> PlainTokenizer | None:
    """Return the tokenizer of a folder; None where transformers might make another of it."""
    path, told = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if not path.is_file() or not told.is_file():
        return None
    config, made = read_json(told), json.loads(path.read_text(encoding="utf-8"))
    normalizer = made.get("normalizer") or {}
    agreed = all(
        config.get(theirs, normalizer.get(ours)) == normalizer.get(ours)
        for ours, theirs in _NORMALIZER.items()
    )
    known = config.get("tokenizer_class") in _CLASSES and "added_tokens_decoder" not in config
    if not (known and agreed and normalizer.get("type") == "BertNormalizer"):
        return None
    from tokenizers import Tokenizer

    return PlainTokenizer(Tokenizer.from_file(str(path)))
