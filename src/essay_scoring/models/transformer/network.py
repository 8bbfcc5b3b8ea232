"""The network: essays in, standardised targets and one representation each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.features.backbone import Backbone
from essay_scoring.features.backbone_loading import load_backbone
from essay_scoring.features.chunking import TokenisedEssay, batches_by_length
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.precision import Arithmetic
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.chunk_pooling import (
    AttentionPooling,
    Centring,
    LayerMix,
    MeanPooling,
    counted_tokens,
)
from essay_scoring.models.transformer.frozen_layers import FrozenLayerCache
from essay_scoring.models.transformer.layer_selection import backbone_settings
from essay_scoring.models.transformer.lora import make_trainable
from essay_scoring.models.transformer.thread_pool import INLINE, InOrder, ThreadPool

Named = list[tuple[str, nn.Parameter]]


@dataclass(frozen=True, eq=False)
class Output:
    """What a forward pass gives, in fp32: `values` (n, heads), `representations` (n, width)."""

    values: Tensor
    representations: Tensor


class EssayNetwork(nn.Module):
    """An encoder, its pooling, a pooler and a linear head; build it with `build_network`.

    `adapter` is peft's configuration of the encoder's adapters, None without them.
    """

    def __init__(
        self, backbone: Backbone, settings: TransformerSettings, n_heads: int, adapter: Any | None
    ) -> None:
        super().__init__()
        self.backbone, self.adapter = backbone, adapter
        self.width = backbone.width
        layers = backbone.selection.depth - backbone.selection.first + 1
        self.mix = LayerMix(layers) if settings.reading == "mix" else None
        attentive = settings.pooling == "attention"
        self.pooling = AttentionPooling(self.width) if attentive else MeanPooling()
        self.centring = Centring(self.width)
        self.pooler = nn.Sequential(nn.Linear(self.width, self.width), nn.Tanh())
        self.head = nn.Linear(self.width, n_heads)
        self._frozen_layers: FrozenLayerCache | None = None

    def read_from(self, frozen_layers: FrozenLayerCache | None) -> None:
        """Read the states below the layers that learn from a cache, or compute them."""
        self._frozen_layers = frozen_layers

    def forward(self, essays: Sequence[TokenisedEssay]) -> Output:
        """Return values and representations of n > 0 essays; run it inside autocast, or not.

        What an essay gets does not depend on the others but for rounding.
        """
        pooled = self._pooled(essays)
        with torch.autocast(pooled.device.type, enabled=False):
            representations = self.pooler(self.centring(pooled))
            return Output(self.head(representations), representations)

    def centre_on(
        self,
        essays: Sequence[TokenisedEssay],
        most_tokens: int,
        arithmetic: Arithmetic,
        pool: ThreadPool = INLINE,
    ) -> None:
        """Measure what the pooled states of these essays share, to be taken away from all."""

        def pooled(part: list[int], _: InOrder) -> Tensor:
            with torch.no_grad(), arithmetic.autocast():
                return self._pooled([essays[i] for i in part])

        parts = batches_by_length([essay.tokens for essay in essays], most_tokens)
        self.centring.measure(torch.cat(list(pool.each(pooled, parts))))

    def _pooled(self, essays: Sequence[TokenisedEssay]) -> Tensor:
        """Return the pooled states of n > 0 essays, (n, width)."""
        device = self.head.weight.device
        chunks = [chunk for essay in essays for chunk in essay.ids]
        given = None
        if self._frozen_layers is not None:
            stored = (part for essay in essays for part in self._frozen_layers.states(essay))
            given = [part.to(device) for part in stored]
        states = self.backbone(chunks, given)
        with torch.autocast(device.type, enabled=False):
            read = states[-1].float() if self.mix is None else self.mix(states)
            pooled: Tensor = self.pooling(read, counted_tokens(essays, device))
            return pooled

    def parameter_groups(self) -> dict[str, Named]:
        """Return what learns by name: "encoder", and "head" (mix, pooling, pooler and head)."""
        groups: dict[str, Named] = {"encoder": [], "head": []}
        for name, parameter in self._trained():
            groups["encoder" if name.startswith("backbone.") else "head"].append((name, parameter))
        return groups

    def trained_state(self) -> dict[str, Tensor]:
        """Return a copy of all that differs from the base weights: on the CPU, contiguous."""
        return {
            name: value.detach().cpu().clone().contiguous()
            for name, value in self._learnt().items()
        }

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `trained_state` returned; InputError if a name or a shape differs."""
        mine = self._learnt()
        for name in sorted(mine.keys() ^ state.keys()):
            what = "lacks" if name in mine else "has an unknown"
            raise _misfit(f"the trained state {what} {name}")
        for name, parameter in mine.items():
            if parameter.shape != state[name].shape:
                shapes = f"{tuple(state[name].shape)}, not {tuple(parameter.shape)}"
                raise _misfit(f"{name} of the trained state has shape {shapes}")
        with torch.no_grad():
            for name, parameter in mine.items():
                parameter.copy_(state[name])

    def _learnt(self) -> dict[str, Tensor]:
        """Return what differs from the base weights: what was trained, and what was measured."""
        measured = {f"centring.{name}": value for name, value in self.centring.named_buffers()}
        return {**dict(self._trained()), **measured}

    def _trained(self) -> Named:
        """Return the parameters that learn."""
        return [(name, value) for name, value in self.named_parameters() if value.requires_grad]


def _misfit(what: str) -> InputError:
    return InputError(what, mend="load it with the settings that it was trained with")


def build_network(
    settings: TransformerSettings,
    encoder: EncoderFolder,
    n_heads: int,
    seed: int,
    *,
    device: str = "cpu",
    frozen_layers: FrozenLayerCache | None = None,
) -> EssayNetwork:
    """Return the network on `device`, in training mode, the same for the same seed.

    `frozen_layers` goes with settings.cache_frozen_layers, and only with it. Global random state
    stays as it is. Raises InputError where the encoder does not fit the settings.
    """
    if settings.cache_frozen_layers != (frozen_layers is not None):
        raise ValueError("a frozen-layer cache goes with settings.cache_frozen_layers")
    part: Literal["whole", "above"] = "whole" if frozen_layers is None else "above"
    backbone = load_backbone(backbone_settings(settings, encoder), encoder, device, part)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "init"))
        adapter = make_trainable(backbone, settings)
        network = EssayNetwork(backbone, settings, n_heads, adapter)
    if settings.gradient_checkpointing:
        backbone.checkpoint_layers()
    network.read_from(frozen_layers)
    return network.to(device).train()
