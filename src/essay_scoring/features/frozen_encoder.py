"""A frozen encoder that reads texts of any length as means of its token vectors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.scale import IntArray
from essay_scoring.features.encoder_loading import check_length, drop_layers, load_model
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.text_chunks import Chunk, batches_by_length, chunk_texts, load_tokenizer

Precision = Literal["fp32", "bf16"]
Device = Literal["cpu", "cuda"]
LayerMeans = npt.NDArray[np.float32]

TOKENS_PER_BATCH: Mapping[Device, int] = MappingProxyType({"cpu": 2048, "cuda": 65_536})
"""Tokens of one forward pass, padding included; larger ones leave a CPU's caches and are slower."""

GPU_FILES = ("/dev/nvidiactl", "/dev/kfd")
"""The files by which the drivers of NVIDIA and AMD show that there is a GPU."""

_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


@dataclass(frozen=True)
class Reading:
    """How an encoder is read: `layers` count from 1, 0 being the word embeddings.

    `count_special` lets the special tokens into the mean, as sentence encoders were trained.
    `attention` overrides the kernel that transformers chooses: for sentences the blocked one is
    slower on a CPU than plain products (`eager`). Both agree but for rounding.
    """

    layers: tuple[int, ...]
    max_length: int
    overlap: int
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    count_special: bool = False
    attention: Literal["eager"] | None = None


def reading_identity(folder: EncoderFolder, reading: Reading) -> dict[str, object]:
    """Return all of an encoder and its reading that changes a value; loads neither."""
    return {
        "encoder_sha256": folder.sha256,
        "definition_sha256": folder.definition_sha256,
        "layers": list(reading.layers),
        "max_length": reading.max_length,
        "overlap": reading.overlap,
        "count_special": reading.count_special,
        "attention": reading.attention,
        "precision": resolve_precision(reading.precision),
        "device": device_in_use(),
        "torch": _version_of("torch"),
        "transformers": _version_of("transformers"),
    }


def encoder_shape(folder: Path) -> tuple[int, int]:
    """Return (layers, width) from an encoder's config.json, without loading it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    depth = next((config[k] for k in ("num_hidden_layers", "n_layers") if k in config), None)
    width = next((config[k] for k in ("hidden_size", "dim", "d_model") if k in config), None)
    if not isinstance(depth, int) or not isinstance(width, int):
        raise InputError(
            "config.json does not say how many layers there are or how wide they are",
            where=str(folder),
            mend="use an encoder whose config has num_hidden_layers and hidden_size",
        )
    return depth, width


@cache
def device_in_use() -> Device:
    """Return where encoders run; torch is imported only on a machine with a GPU's device file."""
    if not any(Path(name).exists() for name in GPU_FILES):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_precision(asked: Literal["auto", "fp32", "bf16"]) -> Precision:
    """Return the precision in use: `auto` is bf16 on a GPU or a CPU that multiplies it natively."""
    if asked != "auto":
        return asked
    return "bf16" if device_in_use() == "cuda" or cpu_has_bf16() else "fp32"


@cache
def cpu_has_bf16() -> bool:
    """Tell whether this CPU has bf16 instructions; unknown (no /proc/cpuinfo) is no."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_BF16_FLAGS & set(flags.split()))


def _version_of(package: str) -> str:
    """Return an installed package's version; raise MissingExtraError without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        raise MissingExtraError(package, "transformer") from None


class PooledEncoder:
    """A verified encoder, cut after the highest layer that is read, and its tokenizer.

    `tokens_per_batch` is that of TOKENS_PER_BATCH unless told; it moves values by rounding alone.
    """

    def __init__(
        self, folder: EncoderFolder, reading: Reading, tokens_per_batch: int | None = None
    ) -> None:
        self._reading = reading
        self._tokens_per_batch = tokens_per_batch or TOKENS_PER_BATCH[device_in_use()]
        self._precision = resolve_precision(reading.precision)
        self._tokenizer = load_tokenizer(folder.path)
        self._model = _load_cut(folder.path, reading, self._precision)
        check_length(self._model, reading.max_length, folder.path, "features.encoder.max_length")
        pad = self._tokenizer.pad_token_id
        self._pad = pad if pad is not None else self._model.config.pad_token_id or 0

    def means(self, texts: Sequence[str]) -> tuple[LayerMeans, IntArray]:
        """Return the mean token vector of each text at each layer, and how many tokens it took.

        Shapes (n, layers, width) and (n,). A text without a token has zeros. The same texts in
        the same order give the same bytes; other company moves a row by rounding alone.
        """
        chunks = chunk_texts(
            self._tokenizer,
            texts,
            max_length=self._reading.max_length,
            overlap=self._reading.overlap,
            count_special=self._reading.count_special,
        )
        shape = (len(texts), len(self._reading.layers), int(self._model.config.hidden_size))
        sums = np.zeros(shape, dtype=np.float32)
        counts = np.zeros(len(texts), dtype=np.int64)
        lengths = [len(chunk.ids) for chunk in chunks]
        with flushed_denormals():
            for batch in batches_by_length(lengths, self._tokens_per_batch):
                part = [chunks[i] for i in batch]
                owners = [chunk.text for chunk in part]
                np.add.at(sums, owners, self._sums(part))
                np.add.at(counts, owners, [int(chunk.counted.sum()) for chunk in part])
        sums /= np.maximum(counts, 1).astype(np.float32)[:, None, None]
        return sums, counts

    def _sums(self, chunks: Sequence[Chunk]) -> LayerMeans:
        """Return sums of the counted token vectors, shape (chunks, layers, width)."""
        import torch

        longest = max(len(chunk.ids) for chunk in chunks)
        ids = np.full((len(chunks), longest), self._pad, dtype=np.int64)
        mask = np.zeros((len(chunks), longest), dtype=np.int64)
        counted = np.zeros((len(chunks), 1, longest), dtype=np.float32)
        for row, chunk in enumerate(chunks):
            ids[row, : len(chunk.ids)] = chunk.ids
            mask[row, : len(chunk.ids)] = 1
            counted[row, 0, : len(chunk.ids)] = chunk.counted
        device = device_in_use()
        with torch.inference_mode():
            states = self._model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(mask).to(device),
                output_hidden_states=True,
            ).hidden_states
            weights = torch.from_numpy(counted).to(device)
            sums = [torch.bmm(weights, states[layer].float()) for layer in self._reading.layers]
            result: LayerMeans = torch.cat(sums, dim=1).cpu().numpy()
        return result


def _load_cut(folder: Path, reading: Reading, precision: Precision) -> Any:
    """Return the encoder with the layers after the highest one read dropped, ready to read with."""
    dtype = "bfloat16" if precision == "bf16" else "float32"
    model = load_model(folder, dtype, attention=reading.attention)
    drop_layers(model, max(reading.layers))
    return model.to(device_in_use())


@contextlib.contextmanager
def flushed_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero for a while: they slow a CPU tenfold and carry nothing."""
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
