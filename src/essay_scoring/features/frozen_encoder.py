"""A frozen encoder that reads texts of any length as means of their token vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.files import read_json
from essay_scoring.core.scale import IntArray
from essay_scoring.features.chunking import (
    TokenisedEssay,
    batches_by_length,
    chunk_lengths,
    chunk_texts,
    load_tokenizer,
)
from essay_scoring.features.encoders import EncoderFolder, resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.features.precision import Device, device_in_use, flushed_denormals, resolve

if TYPE_CHECKING:
    from essay_scoring.features.backbone import Backbone

LayerMeans = npt.NDArray[np.float32]

TOKENS_PER_BATCH: Mapping[Device, int] = MappingProxyType({"cpu": 2048, "cuda": 65_536})
"""Tokens of one forward pass, padding included; larger ones leave a CPU's caches and are slower."""


def encoder_shape(folder: Path) -> tuple[int, int]:
    """Return (layers, width) from an encoder's config.json, without loading it."""
    config = read_json(folder / "config.json")
    depth = next((config[k] for k in ("num_hidden_layers", "n_layers") if k in config), None)
    width = next((config[k] for k in ("hidden_size", "dim", "d_model") if k in config), None)
    if not isinstance(depth, int) or not isinstance(width, int):
        raise InputError(
            "config.json does not say how many layers there are or how wide they are",
            where=str(folder),
            mend="use an encoder whose config has num_hidden_layers and hidden_size",
        )
    return depth, width


class FrozenEncoder:
    """The encoder that settings name: verified at first use, loaded when there is text to read.

    It is cut after the highest of `settings.layers`. `tokens_per_batch` is that of TOKENS_PER_BATCH
    unless given; it moves values by rounding alone. With `sentences` the special tokens enter the
    mean, as sentence encoders were trained, and attention is by plain products, which for short
    texts are faster on a CPU than a blocked kernel and agree with it but for rounding.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        cache: Path,
        tokens_per_batch: int | None = None,
        *,
        sentences: bool = False,
    ) -> None:
        self.settings, self._cache, self._sentences = settings, cache, sentences
        self._tokens_per_batch = tokens_per_batch or TOKENS_PER_BATCH[device_in_use()]

    @cached_property
    def shape(self) -> tuple[int, int]:
        """How many layers there are and how wide they are; InputError for layers beyond them."""
        depth, width = encoder_shape(self._folder.path)
        outside = [layer for layer in self.settings.layers if not 0 <= layer <= depth]
        if outside:
            raise InputError(
                f"the encoder {self.settings.name} has layers 0 to {depth}, not {outside[0]}",
                mend="change features.encoder.layers",
            )
        return depth, width

    def identity(self) -> dict[str, object]:
        """Return all but the text that changes a value; loads nothing."""
        return {
            "encoder_sha256": self._folder.sha256,
            "definition_sha256": self._folder.definition_sha256,
            "layers": list(self.settings.layers),
            **chunk_lengths(self.settings),
            "sentences": self._sentences,
            "precision": resolve(self.settings.precision, device_in_use()),
            "device": device_in_use(),
            "torch": _version_of("torch"),
            "transformers": _version_of("transformers"),
        }

    def means(self, texts: Sequence[str]) -> tuple[LayerMeans, IntArray]:
        """Return the mean token vector of each text at each layer, and how many tokens it took.

        Shapes (n, layers, width) and (n,). A text without a token has zeros. The same texts in
        the same order give the same bytes; other company moves a row by rounding alone.
        """
        lengths = chunk_lengths(self.settings)
        essays = chunk_texts(self._tokenizer, texts, count_special=self._sentences, **lengths)
        chunks = [(row, at) for row, essay in enumerate(essays) for at in range(len(essay.ids))]
        sums = np.zeros((len(texts), len(self.settings.layers), self.shape[1]), dtype=np.float32)
        sizes = [len(essays[row].ids[at]) for row, at in chunks]
        with flushed_denormals():
            for batch in batches_by_length(sizes, self._tokens_per_batch):
                part = [chunks[i] for i in batch]
                np.add.at(sums, [row for row, _ in part], self._sums(essays, part))
        counts = np.array([sum(int(c.sum()) for c in essay.counted) for essay in essays], np.int64)
        sums /= np.maximum(counts, 1).astype(np.float32)[:, None, None]
        return sums, counts

    def _sums(self, essays: Sequence[TokenisedEssay], part: list[tuple[int, int]]) -> LayerMeans:
        """Return sums of counted token vectors of some chunks, shape (chunks, layers, width)."""
        import torch

        with torch.inference_mode():
            states = self._backbone.padded_states([essays[row].ids[at] for row, at in part])
            counted = [torch.from_numpy(essays[row].counted[at]) for row, at in part]
            weights = torch.nn.utils.rnn.pad_sequence(counted, batch_first=True)[:, None]
            weights, layers = weights.to(states[0].device), self.settings.layers
            sums = [torch.bmm(weights, states[i - min(layers)].float()) for i in layers]
            result: LayerMeans = torch.cat(sums, dim=1).cpu().numpy()
        return result

    @cached_property
    def _folder(self) -> EncoderFolder:
        return resolve_encoder(self.settings, self._cache)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._folder.path)

    @cached_property
    def _backbone(self) -> Backbone:
        """The layers up to the highest one read, its weights in the precision in use."""
        from essay_scoring.features.encoder_loading import check_length, load_layers

        settings, device = self.settings, device_in_use()
        model, stack = load_layers(
            self._folder.path,
            max(settings.layers),
            dtype="bfloat16" if resolve(settings.precision, device) == "bf16" else "float32",
            attention="eager" if self._sentences else None,
        )
        key = "features.encoder.max_length"
        check_length(model, settings.max_length, self._folder.path, key)
        from essay_scoring.features.backbone import Backbone, LayerSelection

        selection = LayerSelection(max(1, *settings.layers), min(settings.layers))
        return Backbone(model.to(device), stack, selection, "padded")


def _version_of(package: str) -> str:
    """Return an installed package's version; raise MissingExtraError without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingExtraError(package, "transformer") from None
