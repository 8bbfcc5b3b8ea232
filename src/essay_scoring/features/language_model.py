"""A causal language model that reads texts: what it expected at each token, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from essay_scoring.core.contracts import JsonObject
from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.worker_pool import thread_count
from essay_scoring.features.chunking import (
    TokenIds,
    TokenisedEssay,
    chunk_lengths,
    chunk_texts,
    load_tokenizer,
)
from essay_scoring.features.encoder_loading import encoder_files, load_model, version_of
from essay_scoring.features.encoders import EncoderFolder, resolve_encoder
from essay_scoring.features.feature_settings import LanguageModelSettings
from essay_scoring.features.precision import device_in_use, in_single_threads, resolve

_ROWS = 128
"""Tokens whose next ones are predicted at a time: a vocabulary of numbers for each is large."""

_KEY = "features.language_model"


@dataclass(frozen=True, eq=False)
class TokenReading:
    """The tokens of a text that others stand before, in order; every array has the shape (n,).

    `surprisal` is -log p of the token after those before it, and `entropy` that of all that could
    have come, both in nats; `foreseen` tells whether the token was the likeliest. `at` is the
    position in the text of the token's last character.
    """

    surprisal: FloatArray
    entropy: FloatArray
    foreseen: npt.NDArray[np.bool_]
    at: IntArray


class LanguageModel:
    """The language model that settings name: verified at first use, loaded when there is a text.

    Every chunk is read alone by one thread, so a text's reading is the same bytes in any company.
    Chunks after an essay's first one are read with half of what they share before them.
    """

    def __init__(self, settings: LanguageModelSettings, cache: Path) -> None:
        self._settings, self._cache = settings, cache

    def identity(self) -> JsonObject:
        """Return all but the text that changes a value; loads nothing."""
        versions = {package: version_of(package) for package in ("torch", "transformers")}
        return {
            "model_sha256": self._folder.sha256,
            "definition_sha256": self._folder.definition_sha256,
            "max_length": self._settings.max_length,
            "overlap": self._settings.overlap,
            "precision": self._precision,
            "device": device_in_use(),
            **versions,
        }

    def read(self, texts: Sequence[str]) -> list[TokenReading]:
        """Return the reading of each text, in order.

        A text of one token has an empty one: nothing stands before that token.
        """
        if not texts:
            return []
        with encoder_files(self._folder.path):
            return self._read(texts)

    def _read(self, texts: Sequence[str]) -> list[TokenReading]:
        _ = self._model  # Loaded here, before several threads ask for it.
        essays = chunk_texts(self._tokenizer, texts, **chunk_lengths(self._settings))
        chunks = [ids for essay in essays for ids in essay.ids]
        measured = iter(in_single_threads(self._measured, chunks, thread_count()))
        told = self._tokenizer(
            list(texts),
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        return [
            _joined(essay, [next(measured) for _ in essay.ids], offsets)
            for essay, offsets in zip(essays, told["offset_mapping"], strict=True)
        ]

    def _measured(self, ids: TokenIds) -> FloatArray:
        """Return surprisal, entropy and whether foreseen of a chunk's tokens, shape (3, tokens).

        Those of its first token are NaN.
        """
        import torch

        out = np.full((3, len(ids)), np.nan)
        tokens = torch.from_numpy(ids).to(device_in_use(), torch.long)
        with torch.inference_mode():
            body = self._model.base_model
            states = body(input_ids=tokens[None], use_cache=False).last_hidden_state[0]
            for start in range(0, len(ids) - 1, _ROWS):
                wanted = tokens[start + 1 : start + 1 + _ROWS, None]
                odds = self._model.get_output_embeddings()(states[start : start + len(wanted)])
                odds = torch.log_softmax(odds.float(), dim=-1)
                entropy = -(odds.exp() * odds).sum(dim=-1)
                foreseen = odds.argmax(dim=-1) == wanted[:, 0]
                part = torch.stack([-odds.gather(1, wanted)[:, 0], entropy, foreseen.float()])
                out[:, start + 1 : start + 1 + len(wanted)] = part.cpu().numpy()
        if not np.isfinite(out[:, 1:]).all():
            raise NotFiniteError(
                "the language model gave a number that is not finite",
                mend=f'set {_KEY}.precision = "fp32"',
            )
        return out

    @property
    def _precision(self) -> str:
        return resolve(self._settings.precision, device_in_use())

    @cached_property
    def _folder(self) -> EncoderFolder:
        return resolve_encoder(self._settings, self._cache, f"{_KEY}.sha256")

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._folder.path)

    @cached_property
    def _model(self) -> Any:
        folder, longest = self._folder.path, self._settings.max_length
        dtype = "bfloat16" if self._precision == "bf16" else "float32"
        model = load_model(folder, dtype, predicts=True)
        positions = getattr(model.config, "max_position_embeddings", longest)
        if longest > positions:
            raise InputError(
                f"max_length {longest} exceeds the language model's {positions} positions",
                where=str(folder),
                mend=f"set {_KEY}.max_length to at most {positions}",
            )
        return model.to(device_in_use())


def _joined(
    essay: TokenisedEssay, chunks: Sequence[FloatArray], offsets: Sequence[tuple[int, int]]
) -> TokenReading:
    """Return the reading of an essay from those of its chunks, every token taken once."""
    parts = [part[:, counted > 0] for part, counted in zip(chunks, essay.counted, strict=True)]
    surprisal, entropy, foreseen = np.concatenate(parts, axis=1)
    at = np.array([end - 1 for _, end in offsets], dtype=np.int64)
    if len(at) != len(surprisal):
        raise ValueError(f"{len(surprisal)} tokens were read of {len(at)}")
    known = ~np.isnan(surprisal)
    return TokenReading(surprisal[known], entropy[known], foreseen[known] > 0, at[known])
