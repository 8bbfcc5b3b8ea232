"""From an encoder's folder to a backbone: loaded, cut, and tried out before it is trusted."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import torch
from torch import Tensor

from essay_scoring.core.errors import InputError
from essay_scoring.features.encoder_loading import (
    check_length,
    drop_layers,
    layer_stack,
    load_model,
)
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer import attention
from essay_scoring.models.transformer.backbone import Backbone
from essay_scoring.models.transformer.chunking import TokenIds
from essay_scoring.models.transformer.layer_selection import Cut, PassThrough, cut_of

_TOLERANCE = 1e-3
"""By how much two ways of computing one state may differ, in shares of the largest number."""


def load_backbone(
    settings: TransformerSettings,
    encoder: EncoderFolder,
    device: str,
    part: Literal["whole", "above", "below"] = "whole",
) -> Backbone:
    """Return the layers that settings keep, frozen, in fp32, on a device: all, or part of them.

    `above` and `below` are those over and under the first that learns: above needs states given,
    below returns those states first of all. Raises InputError where the encoder does not fit.
    """
    cut = cut_of(settings, encoder)
    kept = Cut(cut.first + 1, cut.first) if part == "below" else cut
    model, stack = _cut_model(settings, encoder, kept.depth)
    probe = _probe(model.config, settings.max_length)
    in_tuple = _returns_tuple(model.get_submodule(stack)[0], model, probe[0])
    if part == "below":
        _stand_in(model.get_submodule(stack), range(cut.first, kept.depth), in_tuple)
    backbone = Backbone(model, stack, kept, "equal")
    if device == "cpu":
        _lay_end_to_end(backbone, probe)
    else:
        backbone.layout = "padded"
    if part == "above":
        _take_lower_layers_out(backbone, probe, in_tuple)
    return backbone.requires_grad_(False).to(device)


def _cut_model(
    settings: TransformerSettings, encoder: EncoderFolder, depth: int
) -> tuple[Any, str]:
    """Return the model cut after `depth` layers, with its dropout set, and its stack's name."""
    model = load_model(encoder.path, "float32", dropout=settings.dropout)
    for module in model.modules():
        # Not every class asks its configuration.
        if isinstance(module, torch.nn.Dropout):
            module.p = settings.dropout
    check_length(model, settings.max_length, encoder.path, "scorer.max_length")
    found = layer_stack(model)
    if found is None:
        raise InputError(
            "the encoder has no stack of layers of its own",
            where=str(encoder.path),
            mend="use another encoder for scorer.model_name",
        )
    drop_layers(model, depth)
    if isinstance(getattr(model, "pooler", None), torch.nn.Module):
        # It reads the first token of one chunk; essays are pooled elsewhere.
        model.pooler = None
    return model, found[0]


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
        layers[number] = PassThrough(layers[number], in_tuple)


def _take_lower_layers_out(backbone: Backbone, probe: list[TokenIds], in_tuple: bool) -> None:
    """Leave the layers from `first` on; InputError if the model does not work without the others.

    The states of the probe, from the whole of it, are what the rest must give.
    """
    with torch.no_grad():
        below, *_, last = backbone(probe)
        given = list(torch.split(below, [len(ids) for ids in probe]))
        _stand_in(backbone.layers, range(backbone.cut.first), in_tuple)
        alone = backbone(probe, given)[-1]
    if not _agree(alone, last):
        raise InputError(
            "this kind of encoder does not give the same states from a cached trunk",
            where="scorer.cache_trunk",
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
        attention.register()
        model.set_attn_implementation(attention.NAME)
        backbone.layout = "packed"
        if not _agree(backbone(probe)[-1], expected):
            model.set_attn_implementation(before)
            backbone.layout = "equal"


def _agree(some: Tensor, others: Tensor) -> bool:
    """Tell whether states are the same but for rounding; those that are no numbers never differ.

    What is wrong with them is for the canary to say.
    """
    return not float((some - others).abs().max()) > _TOLERANCE * float(others.abs().max())
