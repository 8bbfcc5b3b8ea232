"""What of a backbone learns: low-rank adapters (Hu et al. 2021), or the weights themselves."""

from __future__ import annotations

from typing import Any

from torch import nn

from essay_scoring.core.errors import InputError
from essay_scoring.features.backbone import Backbone
from essay_scoring.models.scorer_settings import LoraSettings, TransformerSettings
from essay_scoring.models.transformer.mixed_linear import ADAPTER, quicken


def make_trainable(backbone: Backbone, settings: TransformerSettings) -> Any | None:
    """Let the layers from `first` on learn, and return peft's configuration, None without LoRA.

    Full fine-tuning of all layers trains the embeddings too. Adapters are drawn from torch's
    global state.
    """
    backbone.requires_grad_(False)
    config = None
    if settings.use_lora:
        config = _adapt(backbone, settings)
    elif settings.trained_layers is None:
        backbone.requires_grad_(True)
    else:
        for layer in backbone.layers[backbone.selection.first :]:
            layer.requires_grad_(True)
    quicken(backbone.model)
    return config


def _adapt(backbone: Backbone, settings: TransformerSettings) -> Any:
    """Put adapters into the backbone's model and return their configuration."""
    import peft

    lora: Any = settings.lora
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=target_maps(backbone, lora),
        base_model_name_or_path=settings.model_name,
    )
    peft.inject_adapter_in_model(config, backbone.model, ADAPTER)
    return config


def target_maps(backbone: Backbone, lora: LoraSettings) -> list[str]:
    """Return the names of the linear maps to adapt, in the layers that learn.

    `lora.targets` gives the ends of their names; without it they are those of attention. Raises
    InputError for a target that no linear map is called.
    """
    maps = [
        (f"{backbone.stack}.{number}.{name}", name)
        for number in range(backbone.selection.first, backbone.selection.depth)
        for name, module in backbone.layers[number].named_modules()
        if isinstance(module, nn.Linear)
    ]
    if lora.targets is None:
        attention = [full for full, name in maps if "att" in name]
        return attention or [full for full, _ in maps]
    for target in lora.targets:
        if not any(_ends(full, target) for full, _ in maps):
            known = sorted({name for _, name in maps})
            raise InputError(
                f"no linear map of the layers that learn is called {target!r}",
                where="scorer.lora.targets",
                mend=f"choose from {', '.join(known)}, or leave it out",
            )
    return [full for full, _ in maps if any(_ends(full, target) for target in lora.targets)]


def _ends(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")
