"""A frozen encoder that reads texts of any length as means of their token vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from essay_scoring.core.contracts import JsonObject
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.scale import IntArray
from essay_scoring.core.worker_pool import thread_count
from essay_scoring.features.chunking import (
    Counted,
    TokenIds,
    chunk_lengths,
    chunk_texts,
    load_tokenizer,
)
from essay_scoring.features.encoder_loading import encoder_files, version_of
from essay_scoring.features.encoders import EncoderFolder, resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.features.precision import device_in_use, in_single_threads, resolve

if TYPE_CHECKING:
    from essay_scoring.features.backbone import Backbone, LayerSelection
    from essay_scoring.features.bert_reading import BertReader

LayerMeans = npt.NDArray[np.float32]

TOKENS_ON_GPU = 65_536
"""Tokens of a forward pass on a GPU, padding included: the same number in every pass."""

_GPU_STEP = 64
"""Lengths that a GPU reads are multiples of it, so that few shapes are ever seen."""

_SENTENCES_AT_A_TIME = 32

_MOST = 10**7
"""Layers times width beyond which no encoder goes."""

_Chunk = tuple[TokenIds, Counted]


def encoder_shape(folder: Path) -> tuple[int, int]:
    """Return (layers, width) from an encoder's config.json, without loading it."""
    config = read_json(folder / "config.json")
    told = config if isinstance(config, dict) else {}
    depth = next((told[k] for k in ("num_hidden_layers", "n_layers") if k in told), None)
    width = next((told[k] for k in ("hidden_size", "dim", "d_model") if k in told), None)
    if not isinstance(depth, int) or not isinstance(width, int) or not 0 < depth * width < _MOST:
        raise InputError(
            "config.json does not say how many layers there are and how wide they are",
            where=str(folder),
            mend="use an encoder whose config has num_hidden_layers and hidden_size",
        )
    return depth, width


class FrozenEncoder:
    """The encoder that settings name: verified at first use, loaded when there is text to read.

    It is cut after the highest of `settings.layers`. With `sentences` the special tokens enter the
    mean, as sentence encoders were trained.

    A text's row is the same bytes in any company, order and number of threads: a CPU reads every
    chunk alone, or (`sentences`) end to end with matrix products of one shape; a GPU reads full
    batches of one shape for each length.
    """

    def __init__(self, settings: EncoderSettings, cache: Path, *, sentences: bool = False) -> None:
        self.settings, self._cache, self._sentences = settings, cache, sentences

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

    def identity(self) -> JsonObject:
        """Return all but the text that changes a value; loads nothing."""
        return {
            "encoder_sha256": self._folder.sha256,
            "definition_sha256": self._folder.definition_sha256,
            "layers": list(self.settings.layers),
            "max_length": self.settings.max_length,
            "overlap": self.settings.overlap,
            "sentences": self._sentences,
            "precision": resolve(self.settings.precision, device_in_use()),
            "device": device_in_use(),
            "torch": version_of("torch"),
            "transformers": version_of("transformers"),
        }

    def means(self, texts: Sequence[str]) -> tuple[LayerMeans, IntArray]:
        """Return the mean token vector of each text at each layer, and how many tokens it took.

        Shapes (n, layers, width) and (n,). A text without a token has zeros.
        """
        with encoder_files(self._folder.path):
            return self._means(texts)

    def _means(self, texts: Sequence[str]) -> tuple[LayerMeans, IntArray]:
        lengths = chunk_lengths(self.settings)
        essays = chunk_texts(self._tokenizer, texts, count_special=self._sentences, **lengths)
        chunks = [pair for essay in essays for pair in zip(essay.ids, essay.counted, strict=True)]
        owners = [row for row, essay in enumerate(essays) for _ in essay.ids]
        sums = np.zeros((len(texts), len(self.settings.layers), self.shape[1]), dtype=np.float32)
        for members, part in self._sums(chunks) if chunks else ():
            np.add.at(sums, [owners[i] for i in members], part)
        counts = np.array([sum(int(c.sum()) for c in essay.counted) for essay in essays], np.int64)
        sums /= np.maximum(counts, 1).astype(np.float32)[:, None, None]
        return sums, counts

    def _sums(self, chunks: Sequence[_Chunk]) -> Iterator[tuple[list[int], LayerMeans]]:
        """Yield which chunks were read together, and their sums of counted token vectors.

        Those have the shape (chunks, layers, width); the order is that of the chunks' lengths.
        """
        if device_in_use() == "cuda":
            yield from self._on_gpu(chunks, [len(ids) for ids, _ in chunks])
            return
        # Loaded here, before several threads ask for it.
        at_a_time = _SENTENCES_AT_A_TIME if self._reader.together else 1
        starts = range(0, len(chunks), at_a_time)
        groups = [list(range(n, min(n + at_a_time, len(chunks)))) for n in starts]
        parts = [[chunks[at] for at in group] for group in groups]
        sums = in_single_threads(self._on_cpu, parts, thread_count())
        yield from zip(groups, sums, strict=True)

    def _on_cpu(self, chunks: Sequence[_Chunk]) -> LayerMeans:
        """Return the sums of chunks, each of them read as if it were alone."""
        import torch

        with torch.inference_mode():
            states = self._reader([ids for ids, _ in chunks])
            lengths = [len(ids) for ids, _ in chunks]
            layers = [states[i - min(self.settings.layers)] for i in self.settings.layers]
            parts = zip(*(layer.split(lengths) for layer in layers), strict=True)
            sums = [
                [(state.float() * torch.from_numpy(counted)[:, None]).sum(dim=0) for state in part]
                for (_, counted), part in zip(chunks, parts, strict=True)
            ]
            return np.stack([np.stack([layer.numpy() for layer in each]) for each in sums])

    def _on_gpu(
        self, chunks: Sequence[_Chunk], lengths: Sequence[int]
    ) -> Iterator[tuple[list[int], LayerMeans]]:
        """Yield the sums of chunks that were padded to one length, in full batches."""
        steps = [-(-length // _GPU_STEP) * _GPU_STEP for length in lengths]
        for length in sorted(set(steps)):
            longest = min(length, self.settings.max_length)
            size = max(1, TOKENS_ON_GPU // longest)
            mine = [at for at, step in enumerate(steps) if step == length]
            for start in range(0, len(mine), size):
                members = mine[start : start + size]
                yield members, self._padded(chunks, members, (size, longest))

    def _padded(
        self, chunks: Sequence[_Chunk], members: Sequence[int], shape: tuple[int, int]
    ) -> LayerMeans:
        """Return the sums of some chunks, read in a batch of a given shape."""
        import torch

        weights = torch.zeros(shape[0], 1, shape[1])
        for row, at in enumerate(members):
            weights[row, 0, : len(chunks[at][1])] = torch.from_numpy(chunks[at][1])
        filled = [*members, *[members[0]] * (shape[0] - len(members))]
        with torch.inference_mode():
            states = self._backbone.padded_states(
                [chunks[at][0] for at in filled], longest=shape[1]
            )
            weights, layers = weights.to(states[0].device), self.settings.layers
            sums = [torch.bmm(weights, states[i - min(layers)].float()) for i in layers]
            result: LayerMeans = torch.cat(sums, dim=1)[: len(members)].cpu().numpy()
        return result

    @cached_property
    def _folder(self) -> EncoderFolder:
        return resolve_encoder(self.settings, self._cache)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._folder.path)

    @cached_property
    def _reader(self) -> BertReader | Backbone:
        """What a CPU reads chunks with, each as if it were alone."""
        from essay_scoring.features.bert_reading import BertForm, load_bert

        form = BertForm(self._cut, self._dtype, self.settings.max_length, self._sentences)
        bert = load_bert(self._folder.path, form)
        return self._backbone if bert is None else bert

    @property
    def _cut(self) -> LayerSelection:
        from essay_scoring.features.backbone import LayerSelection

        return LayerSelection(max(1, *self.settings.layers), min(self.settings.layers))

    @property
    def _dtype(self) -> str:
        precision = resolve(self.settings.precision, device_in_use())
        return "bfloat16" if precision == "bf16" else "float32"

    @cached_property
    def _backbone(self) -> Backbone:
        """The layers up to the highest one read, its weights in the precision in use."""
        from essay_scoring.features.backbone import Backbone
        from essay_scoring.features.encoder_loading import check_length, load_layers

        path, longest = self._folder.path, self.settings.max_length
        model, stack = load_layers(path, max(self.settings.layers), dtype=self._dtype)
        check_length(model, longest, path, "features.encoder.max_length")
        return Backbone(model.to(device_in_use()), stack, self._cut, "equal")
