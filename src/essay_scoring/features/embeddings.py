"""Frozen embeddings: the mean token vector of the whole essay at chosen layers of an encoder."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject, Matrix
from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.essays import Essays
from essay_scoring.features.feature_settings import EncoderSettings, FeatureSettings
from essay_scoring.features.frozen_encoder import FrozenEncoder, LayerMeans

_EMBEDDED = re.compile(r"emb\d*_\d{3,}")


def is_embedding(column: str) -> bool:
    """Tell by its name whether a column is an encoder's: `emb_000`, of a second one `emb2_000`."""
    return _EMBEDDED.fullmatch(column) is not None


class EmbeddingBlock:
    """Columns `emb_000`...: the mean over all tokens of an essay, special tokens left out.

    Several layers are averaged (`mix` mean) or put side by side in the order given (concat).
    The columns of the second encoder of the settings are `emb2_000` and so on.
    """

    feature_set = "embeddings"
    reads_prompt = False

    @classmethod
    def of(cls, settings: FeatureSettings, cache: Path) -> tuple[Self, ...]:
        """Return the blocks of the settings' encoders."""
        encoders = enumerate((settings.encoder, *settings.encoders), start=1)
        return tuple(cls(encoder, cache, number) for number, encoder in encoders)

    def __init__(self, settings: EncoderSettings, cache: Path, number: int = 1) -> None:
        self.encoder = FrozenEncoder(settings, cache)
        self._mix, self._number = settings.mix, "" if number == 1 else str(number)

    @property
    def name(self) -> str:
        """`embeddings`, of a second encoder `embeddings2`."""
        return f"embeddings{self._number}"

    @cached_property
    def identity(self) -> JsonObject:
        """All that changes a value: encoder hashes, how it is read, mix, package versions."""
        return {"version": 2, "mix": self._mix} | self.encoder.identity()

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """`emb_000` to as many as the encoder is wide, times the layers when put side by side."""
        _, width = self.encoder.shape
        if self._mix == "concat":
            width *= len(self.encoder.settings.layers)
        return tuple(f"emb{self._number}_{column:03d}" for column in range(width))

    def columns(self, essays: Essays) -> Columns:
        """Return one float32 row per essay, zeros for a text without tokens.

        Raises NotFiniteError, naming the essay, where the encoder gave no finite number.
        """
        names = self.column_names
        means, _ = self.encoder.means(essays.texts)
        values = self._mixed(means)
        broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(broken):
            raise NotFiniteError(
                f"the embedding of essay {essays.ids[broken[0]]!r} is not finite",
                mend='set features.encoder.precision = "fp32"',
            )
        return Columns(names, values)

    def _mixed(self, means: LayerMeans) -> Matrix:
        """Return (n, columns) of (n, layers, width)."""
        if self._mix == "concat":
            return means.reshape(len(means), means.shape[1] * means.shape[2])
        mean: Matrix = means.mean(axis=1, dtype=np.float32)
        return mean
