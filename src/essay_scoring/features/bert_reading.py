"""BERT (Devlin et al. 2019) by plain products, whose states do not round by their company.

Importing transformers costs a second and more before a word is read, and the embedded encoder is a
BERT. What this module does not know it leaves to transformers, and says so by None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from essay_scoring.core.files import read_json
from essay_scoring.features.backbone import LayerSelection
from essay_scoring.features.chunking import TokenIds

ROWS = 128
"""Tokens of one product where chunks lie end to end: a row rounds by the number of rows. Enough for
a CPU's full speed, and few of them go unused."""

_PLAIN = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
_TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")
_LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")

Affine = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class BertForm:
    """Which layers of a BERT are read, in numbers of which type, and how long chunks get.

    `together` lays the chunks of a call end to end and makes products of ROWS rows; otherwise a
    call is of one chunk, and products have its rows. A chunk's states are the same bytes in any
    company either way.
    """

    layers: LayerSelection
    dtype: str
    max_length: int
    together: bool


class BertReader:
    """The first layers of a BERT: chunks of token ids in, hidden states out."""

    def __init__(
        self, weights: Mapping[str, Tensor], config: Mapping[str, Any], form: BertForm
    ) -> None:
        self.together, self._first = form.together, form.layers.first
        self._dtype = getattr(torch, form.dtype)
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._tables = [weights[f"embeddings.{name}.weight"] for name in _TABLES]
        self._first_norm = _affine(weights, "embeddings.LayerNorm")
        numbers = range(form.layers.depth)
        self.layers = [_Layer(weights, f"encoder.layer.{number}") for number in numbers]

    def __call__(self, chunks: Sequence[TokenIds]) -> list[Tensor]:
        """Return the states (tokens, width) after the first layer read and all above it."""
        lengths = [len(chunk) for chunk in chunks]
        filling = -sum(lengths) % ROWS if self.together else 0
        words, places, kinds = self._tables
        ids = torch.cat([torch.from_numpy(chunk).long() for chunk in chunks])
        at = torch.cat([torch.arange(length) for length in lengths])
        # Tables are as they were saved: of a large one few pages are ever read from disk.
        rows = (words[functional.pad(ids, (0, filling))], kinds[:1])
        told, kind, place = (
            table.to(self._dtype) for table in (*rows, places[functional.pad(at, (0, filling))])
        )
        states = self._norm(told + kind + place, self._first_norm)
        read = [states]
        for layer in self.layers:
            states = self._after(layer, states, lengths)
            read.append(states)
        return [each[: sum(lengths)] for each in read[self._first :]]

    def _after(self, layer: _Layer, states: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return the states after a layer."""
        mixed = self._attended([self._product(states, by) for by in layer.inputs], lengths)
        states = self._norm(self._product(mixed, layer.mixing) + states, layer.norms[0])
        inner = functional.gelu(self._product(states, layer.widening))
        return self._norm(self._product(inner, layer.narrowing) + states, layer.norms[1])

    def _attended(self, inputs: Sequence[Tensor], lengths: Sequence[int]) -> Tensor:
        """Return what tokens take from the others of their chunk, (tokens, width)."""
        tokens, width = inputs[0].shape
        split = [each.view(tokens, self._heads, -1).transpose(0, 1) for each in inputs]
        out = inputs[0].new_zeros(tokens, width)
        bounds = [0]
        for length in lengths:
            bounds.append(bounds[-1] + length)
        for start, end in pairwise(bounds):
            query, key, value = (each[None, :, start:end].contiguous() for each in split)
            seen = functional.scaled_dot_product_attention(query, key, value)
            out[start:end] = seen[0].transpose(0, 1).reshape(end - start, width)
        return out

    def _product(self, states: Tensor, by: Affine) -> Tensor:
        if not self.together:
            return functional.linear(states, *by)
        out = states.new_empty(len(states), len(by[0]))
        for start in range(0, len(states), ROWS):
            rows = slice(start, start + ROWS)
            out[rows] = functional.linear(states[rows], *by)
        return out

    def _norm(self, states: Tensor, by: Affine) -> Tensor:
        return functional.layer_norm(states, states.shape[1:], *by, self._epsilon)


class _Layer:
    """The weights of one layer: `inputs` are those of queries, keys and values."""

    def __init__(self, weights: Mapping[str, Tensor], name: str) -> None:
        *self.inputs, self.mixing, self.widening, self.narrowing = (
            _affine(weights, f"{name}.{part}") for part in _LINEAR
        )
        self.norms = [_affine(weights, f"{name}.{part}") for part in _NORMS]


def load_bert(folder: Path, form: BertForm) -> BertReader | None:
    """Return the layers of the BERT in a folder that are read; None unless it is a plain one."""
    from safetensors import safe_open

    config = read_json(folder / "config.json")
    path, wanted = folder / "model.safetensors", _names(form.layers.depth)
    if any(config.get(key, value) != value for key, value in _PLAIN.items()) or not path.is_file():
        return None
    with safe_open(path, framework="pt") as stream:
        held = set(stream.keys())
        prefix = next((p for p in ("", "bert.") if held.issuperset(p + n for n in wanted)), None)
        if prefix is None:
            return None
        tensors = {name: stream.get_tensor(prefix + name) for name in wanted}
    dtype = getattr(torch, form.dtype)
    weights = {
        name: tensor if name.removesuffix(".weight").endswith(_TABLES) else tensor.to(dtype)
        for name, tensor in tensors.items()
    }
    if len(weights["embeddings.position_embeddings.weight"]) < form.max_length:
        return None
    return BertReader(weights, config, form)


def _names(depth: int) -> list[str]:
    """Return the names of all weights of an encoder cut after `depth` layers."""
    whole = [f"embeddings.{name}.weight" for name in _TABLES]
    layers = [f"encoder.layer.{number}." for number in range(depth)]
    parts = [layer + part for layer in layers for part in (*_LINEAR, *_NORMS)]
    for part in ("embeddings.LayerNorm", *parts):
        whole += [f"{part}.weight", f"{part}.bias"]
    return whole


def _affine(weights: Mapping[str, Tensor], name: str) -> Affine:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]
