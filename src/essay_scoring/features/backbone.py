"""Some layers of an encoder: chunks of token ids in, the hidden states of their tokens out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essay_scoring.features.chunking import TokenIds, batches_by_length
from essay_scoring.features.encoder_loading import first_position

Layout = Literal["packed", "equal", "padded"]
"""How chunks lie in a pass: end to end, with others of their very length, or padded to one."""

TOKENS_PER_GROUP = {"packed": 4096, "equal": 2048, "padded": 16_384}
"""Tokens of one call of the model; larger ones leave a CPU's caches or fill a GPU's memory."""

ROUND_TO = 256
"""Packed tokens are filled up to a multiple of it. A CPU's matrix library compiles a kernel for
every shape it meets: a fifth of training went there while each call had a length of its own."""


@dataclass(frozen=True)
class LayerSelection:
    """The first `depth` layers of an encoder are kept, and states are read from `first` on."""

    depth: int
    first: int


class _Call(threading.local):
    """One call of the model, which each thread has its own of: states given and states seen."""

    given: Tensor | None = None

    def __init__(self) -> None:
        self.seen: dict[int, Tensor] = {}


class Backbone(nn.Module):
    """A model and how it is called; states are read from layer `selection.first` on.

    `stack` is the name of its stack of layers, None where it has none and reports its own states;
    `layout` may be changed.
    """

    together = False
    """Whether chunks of one call are read as if each were alone: their number moves roundings."""

    def __init__(
        self, model: Any, stack: str | None, selection: LayerSelection, layout: Layout
    ) -> None:
        super().__init__()
        self.model, self.stack, self.selection, self.layout = model, stack, selection, layout
        self._position = first_position(model)
        # What stands there is never read, but must have an embedding.
        self._pad = int(getattr(model.config, "pad_token_id", None) or 0)
        self._call_at_hand = _Call()
        for number in self._numbers if stack is not None else ():
            hook = partial(self._before_layer, number)
            self.layers[number].register_forward_pre_hook(hook, with_kwargs=True)

    @property
    def layers(self) -> Any:
        """The model's stack of layers."""
        return self.model.get_submodule(self.stack or "")

    @property
    def _numbers(self) -> range:
        """The positions in the stack of the layers above the first states that are read."""
        return range(self.selection.first, self.selection.depth)

    @property
    def width(self) -> int:
        """How wide a hidden state is."""
        return int(self.model.config.hidden_size)

    def forward(
        self, chunks: Sequence[TokenIds], given: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """Return the states after `first`, first + 1, ..., `depth` layers: each (tokens, width).

        Tokens lie in the order of the chunks. `given` holds the states (length, width) of each
        chunk after `first` layers, which are then not asked.
        """
        pieces: list[list[Tensor]] = [[] for _ in chunks]
        for members in self._groups([len(chunk) for chunk in chunks]):
            part = None if given is None else [given[i] for i in members]
            states = self._states([chunks[i] for i in members], part)
            for at, member in enumerate(members):
                pieces[member] = [state[at] for state in states]
        return [torch.cat(layer) for layer in zip(*pieces, strict=True)]

    def _groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Return which chunks go into one call."""
        budget = TOKENS_PER_GROUP[self.layout]
        if self.layout == "equal":
            same = {n: [i for i, m in enumerate(lengths) if m == n] for n in sorted({*lengths})}
            return [
                rows[at : at + max(1, budget // n)]
                for n, rows in same.items()
                for at in range(0, len(rows), max(1, budget // n))
            ]
        if self.layout == "padded":
            return batches_by_length(lengths, budget)
        groups: list[list[int]] = []
        room = 0
        for number, length in enumerate(lengths):
            if length > room:
                groups.append([])
                room = budget
            groups[-1].append(number)
            room -= length
        return groups

    def _states(
        self, chunks: Sequence[TokenIds], given: Sequence[Tensor] | None
    ) -> list[list[Tensor]]:
        """Return, for each layer read, the states (length, width) of each chunk of one call."""
        lengths = [len(chunk) for chunk in chunks]
        if self.layout == "packed":
            device = next(self.model.parameters()).device
            tokens = [torch.from_numpy(chunk).to(device, torch.long) for chunk in chunks]
            filling = -sum(lengths) % ROUND_TO
            below = None
            if given is not None:
                nothing = given[0].new_zeros(filling, given[0].shape[1])
                below = torch.cat([*given, nothing])[None]
            states = self._call(below, **_packed(tokens, self._position, filling))
            return [list(torch.split(state[0], [*lengths, filling]))[:-1] for state in states]
        below = None
        if given is not None:
            below = nn.utils.rnn.pad_sequence(list(given), batch_first=True)
        states = self.padded_states(chunks, below)
        return [[row[:n] for row, n in zip(state, lengths, strict=True)] for state in states]

    def padded_states(
        self, chunks: Sequence[TokenIds], given: Tensor | None = None, longest: int | None = None
    ) -> list[Tensor]:
        """Return the states of one call, each (chunks, longest, width), as `forward` orders them.

        `given` (chunks, longest, width) stands for the states after `first` layers. Chunks are
        padded to `longest`, and the padding told by a mask even where there is none.
        """
        device = next(self.model.parameters()).device
        tokens = [torch.from_numpy(chunk).to(device, torch.long) for chunk in chunks]
        lengths = [len(chunk) for chunk in chunks]
        padded = nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_value=self._pad)
        if longest is not None:
            padded = nn.functional.pad(padded, (0, longest - max(lengths)), value=self._pad)
        inputs = {"input_ids": padded}
        if longest is not None or min(lengths) < max(lengths):
            ends = torch.tensor(lengths, device=device)[:, None]
            inputs["attention_mask"] = (torch.arange(padded.shape[1], device=device) < ends).long()
        return self._call(given, **inputs)

    def _call(self, given: Tensor | None, **inputs: Any) -> list[Tensor]:
        """Return the states after `first`, first + 1, ..., `depth` layers, of one call."""
        if self.stack is None:
            states = self.model(**inputs, output_hidden_states=True).hidden_states
            return list(states[self.selection.first : self.selection.depth + 1])
        call = self._call_at_hand
        call.seen, call.given = {}, given
        try:
            last = self.model(**inputs).last_hidden_state
            return [*(call.seen[number] for number in self._numbers), last]
        finally:
            call.seen, call.given = {}, None

    def _before_layer(
        self, number: int, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Note what enters a layer, and put the given states there instead where it is the first.

        What enters layer i is the output of layer i - 1 with all that the model does in between.
        """
        named = not args
        states = kwargs["hidden_states"] if named else args[0]
        call = self._call_at_hand
        if call.given is not None and number == self.selection.first:
            states = call.given.to(states.dtype)
        call.seen[number] = states
        if named:
            return args, {**kwargs, "hidden_states": states}
        return (states, *args[1:]), kwargs

    def checkpoint_layers(self) -> None:
        """Compute the states within the layers that learn again when gradients need them."""
        for number in self._numbers:
            layer = self.layers[number]
            layer.forward = partial(_checkpointed, layer, layer.forward)


def _packed(tokens: Sequence[Tensor], position: int, filling: int) -> dict[str, Any]:
    """Return the inputs of a call for chunks that lie end to end, and some tokens behind them."""
    positions = [torch.arange(len(chunk), device=chunk.device) + position for chunk in tokens]
    bounds = [0]
    for chunk in tokens:
        bounds.append(bounds[-1] + len(chunk))
    return {
        "input_ids": torch.cat([*tokens, tokens[0][:1].expand(filling)])[None],
        "position_ids": torch.cat([*positions, positions[0][:1].expand(filling)])[None],
        "cu_seq_lens_q": tuple(bounds),
    }


def _checkpointed(layer: nn.Module, forward: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a layer, keeping only its inputs while it trains."""
    if not (layer.training and torch.is_grad_enabled()):
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, **kwargs)
