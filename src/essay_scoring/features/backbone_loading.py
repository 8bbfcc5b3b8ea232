"""From an encoder's folder to a backbone: loaded, cut, and tried out before it is trusted."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from essay_scoring.core.errors import InputError
from essay_scoring.features import packed_attention
from essay_scoring.features.backbone import Backbone, LayerSelection
from essay_scoring.features.chunking import TokenIds
from essay_scoring.features.encoder_loading import check_length, encoder_files, load_layers
from essay_scoring.features.encoders import EncoderFolder

_TOLERANCE = 1e-3
"""By how much two ways of computing one state may differ, in shares of the largest number."""


@dataclass(frozen=True)
class BackboneSettings:
    """Which layers are kept, the rate of all their dropout, and how long chunks get."""

    layers: LayerSelection
    dropout: float
    max_length: int


def load_backbone(
    settings: BackboneSettings,
    encoder: EncoderFolder,
    device: str,
    part: Literal["whole", "above", "below"] = "whole",
) -> Backbone:
    """Return the layers that settings keep, frozen, in fp32, on a device: all, or part of them.

    `above` and `below` are those over and under the first that learns: above needs states given,
    below returns those states first of all. Raises InputError where the encoder does not fit.
    """
    with encoder_files(encoder.path):
        return _loaded(settings, encoder, device, part)


def _loaded(
    settings: BackboneSettings,
    encoder: EncoderFolder,
    device: str,
    part: Literal["whole", "above", "below"],
) -> Backbone:
    first = settings.layers.first
    kept = LayerSelection(first + 1, first) if part == "below" else settings.layers
    model, stack = _model_for_training(settings, encoder, kept.depth)
    probe = _probe(model.config, settings.max_length)
    in_tuple = _returns_tuple(model.get_submodule(stack)[0], model, probe[0])
    if part == "below":
        _stand_in(model.get_submodule(stack), range(first, kept.depth), in_tuple)
    backbone = Backbone(model, stack, kept, "equal")
    if device == "cpu":
        _lay_end_to_end(backbone, probe)
    else:
        backbone.layout = "padded"
    if part == "above":
        _take_lower_layers_out(backbone, probe, in_tuple)
    return backbone.requires_grad_(False).to(device)


def _model_for_training(
    settings: BackboneSettings, encoder: EncoderFolder, depth: int
) -> tuple[Any, str]:
    """Return the model's first `depth` layers, with their dropout set, and its stack's name."""
    model, stack = load_layers(encoder.path, depth, dropout=settings.dropout)
    for module in model.modules():
        # Not every class asks its configuration.
        if isinstance(module, torch.nn.Dropout):
            module.p = settings.dropout
    check_length(model, settings.max_length, encoder.path, "scorer.max_length")
    if stack is None:
        raise InputError(
            "the encoder has no stack of layers of its own",
            where=str(encoder.path),
            mend="use another encoder for scorer.model_name",
        )
    return model, stack


def _probe(config: Any, max_length: int) -> list[TokenIds]:
    """Return two chunks of different lengths, the longer one beyond what a layer attends to."""
    window = getattr(config, "sliding_window", None) or getattr(config, "local_attention", None)
    longest = min(max_length, 12 if window is None else 2 * int(window) + 12)
    words = torch.arange(longest) * 7 % (int(config.vocab_size) - 1)
    # The padding token would be no word to some.
    words = torch.where(words == config.pad_token_id, int(config.vocab_size) - 1, words)
    ids: TokenIds = words.to(torch.int32).numpy()
    return [ids, ids[: longest // 2]]


def _returns_tuple(layer: torch.nn.Module, model: Any, ids: TokenIds) -> bool:
    """Tell whether a layer of the model returns its states as the first of several things."""
    kinds: list[bool] = []
    hook = layer.register_forward_hook(
        lambda _, __, output: kinds.append(isinstance(output, tuple))
    )
    with torch.no_grad():
        model(input_ids=torch.from_numpy(ids).long()[None])
    hook.remove()
    return kinds[0]


def _stand_in(layers: Any, numbers: range, in_tuple: bool) -> None:
    """Put stand-ins where these layers are."""
    for number in numbers:
        layers[number] = _PassThrough(layers[number], in_tuple)


def _take_lower_layers_out(backbone: Backbone, probe: list[TokenIds], in_tuple: bool) -> None:
    """Leave the layers from `first` on; InputError if the model does not work without the others.

    The states of the probe, from the whole of it, are what the rest must give.
    """
    with torch.no_grad():
        below, *_, last = backbone(probe)
        given = list(torch.split(below, [len(ids) for ids in probe]))
        _stand_in(backbone.layers, range(backbone.selection.first), in_tuple)
        alone = backbone(probe, given)[-1]
    if not _agree(alone, last):
        raise InputError(
            "this kind of encoder does not give the same states from cached lower layers",
            where="scorer.cache_frozen_layers",
            mend="set it to false",
        )


def _lay_end_to_end(backbone: Backbone, probe: list[TokenIds]) -> None:
    """Let chunks lie end to end in a call if the model can do that and gives the same states."""
    model = backbone.model
    asks = inspect.signature(model.forward).parameters
    if not getattr(model, "_supports_attention_backend", False) or "position_ids" not in asks:
        return
    with torch.no_grad():
        expected = backbone(probe)[-1]
        before = model.config._attn_implementation  # noqa: SLF001
        packed_attention.register()
        model.set_attn_implementation(packed_attention.NAME)
        backbone.layout = "packed"
        if not _agree(backbone(probe)[-1], expected):
            model.set_attn_implementation(before)
            backbone.layout = "equal"


def _agree(some: Tensor, others: Tensor) -> bool:
    """Tell whether states are the same but for rounding; those that are no numbers never differ.

    What is wrong with them is for the smoke step to say.
    """
    return not float((some - others).abs().max()) > _TOLERANCE * float(others.abs().max())


class _PassThrough(nn.Module):
    """Stands in a stack for a layer that is not to be run: its input is its output."""

    def __init__(self, layer: nn.Module, in_tuple: bool) -> None:
        super().__init__()
        self._in_tuple = in_tuple
        # Models ask layers what kind they are.
        told = {k: v for k, v in vars(layer).items() if not k.startswith("_") and k != "training"}
        self.__dict__.update(told)

    def forward(self, states: Tensor, *_: Any, **__: Any) -> Any:
        """Return the input, in the form in which the layer returned its output."""
        return (states, None) if self._in_tuple else states
