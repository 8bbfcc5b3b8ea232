"""Where an encoder is cut: the layers kept, those that may learn, and stand-ins for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from essay_scoring.core.errors import InputError
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.frozen_encoder import encoder_shape
from essay_scoring.models.scorer_settings import TransformerSettings


@dataclass(frozen=True)
class Cut:
    """Where an encoder is cut: `depth` layers are kept, and those from `first` on may learn."""

    depth: int
    first: int


def cut_of(settings: TransformerSettings, encoder: EncoderFolder) -> Cut:
    """Return where settings cut an encoder; InputError if it has too few layers for them."""
    total, _ = encoder_shape(encoder.path)
    depth = settings.layer or total
    if depth > total:
        raise InputError(
            f"the encoder has {total} layers, not {depth}",
            where="scorer.layer",
            mend=f"set it to at most {total}",
        )
    trained = settings.trained_layers or depth
    most = depth - 1 if settings.cache_trunk else depth
    if trained > most:
        why = ", and a cached trunk needs one below" if settings.cache_trunk else ""
        raise InputError(
            f"{trained} layers cannot learn of {depth} that are kept{why}",
            where="scorer.trained_layers",
            mend=f"set it to at most {most}",
        )
    return Cut(depth, depth - trained)


class PassThrough(nn.Module):
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
