"""Frozen embeddings: the mean token vector of the whole essay at chosen layers of an encoder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, Matrix
from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.essays import Essays
from essay_scoring.features.encoders import EncoderFolder, resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.features.frozen_encoder import (
    LayerMeans,
    PooledEncoder,
    Reading,
    encoder_shape,
    reading_identity,
)

PREFIX = "emb_"
"""What the names of embedding columns begin with; no other column's does."""


class EmbeddingBlock:
    """Columns `emb_000`...: the mean over all tokens of an essay, special tokens left out.

    Several layers are averaged (`mix` mean) or put side by side in the order given (concat). The
    encoder is verified at first use and loaded only when columns must be computed.
    """

    name = "embeddings"

    def __init__(
        self, settings: EncoderSettings, cache: Path, tokens_per_batch: int | None = None
    ) -> None:
        self._settings, self._cache = settings, cache
        self._tokens_per_batch = tokens_per_batch
        self._reading = Reading(
            settings.layers, settings.max_length, settings.overlap, settings.precision
        )

    @cached_property
    def identity(self) -> dict[str, object]:
        """All that changes a value: encoder hashes, reading, mix, precision, package versions."""
        version = {"version": 1, "mix": self._settings.mix}
        return version | reading_identity(self._folder, self._reading)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """`emb_000` to as many as the encoder is wide, times the layers when put side by side."""
        depth, width = encoder_shape(self._folder.path)
        outside = [layer for layer in self._settings.layers if not 0 <= layer <= depth]
        if outside:
            raise InputError(
                f"the encoder {self._settings.name} has layers 0 to {depth}, not {outside[0]}",
                mend="change features.encoder.layers",
            )
        if self._settings.mix == "concat":
            width *= len(self._settings.layers)
        return tuple(f"{PREFIX}{column:03d}" for column in range(width))

    def columns(self, essays: Essays) -> Columns:
        """Return one float32 row per essay, zeros for a text without tokens.

        Raises NotFiniteError, naming the essay, where the encoder gave no finite number.
        """
        names = self.column_names
        means, _ = self._encoder.means(essays.texts)
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
        if self._settings.mix == "concat":
            return means.reshape(len(means), means.shape[1] * means.shape[2])
        mean: Matrix = means.mean(axis=1, dtype=np.float32)
        return mean

    @cached_property
    def _folder(self) -> EncoderFolder:
        return resolve_encoder(self._settings, self._cache)

    @cached_property
    def _encoder(self) -> PooledEncoder:
        return PooledEncoder(self._folder, self._reading, self._tokens_per_batch)
