"""The optimiser: what decays, how fast each part learns, and how that changes over training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essay_scoring.models.scorer_settings import TransformerSettings

Named = Iterable[tuple[str, nn.Parameter]]


def decays(name: str, parameter: Tensor) -> bool:
    """Tell whether weight decay applies: to matrices, but not to biases, norms and single rows."""
    return parameter.ndim > 1 and not name.endswith("bias")


def build_optimiser(
    groups: Mapping[str, Named], settings: TransformerSettings
) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) over named parameters.

    The group "encoder" learns at `learning_rate`, every other one at `head_learning_rate`. Each
    keeps its rate in "full_rate", for `set_rates`.
    """
    parts: list[dict[str, Any]] = []
    for group, named in groups.items():
        rate = settings.learning_rate if group == "encoder" else settings.head_learning_rate
        split: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, parameter in named:
            split[decays(name, parameter)].append(parameter)
        for decaying, parameters in split.items():
            if parameters:
                decay = settings.weight_decay if decaying else 0.0
                rates = {"lr": rate, "full_rate": rate, "weight_decay": decay}
                parts.append({"params": parameters, "name": group, **rates})
    return torch.optim.AdamW(parts)


def rate_factor(step: int, total: int, settings: TransformerSettings) -> float:
    """Return the share of the full rate at a step, from 0, of `total` steps.

    It climbs in equal parts to 1 over the warm-up, and then falls towards 0 in a straight line, or
    along half a cosine.
    """
    warm = math.ceil(total * settings.warmup_share)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, total - warm)
    if settings.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    return 1.0 - done


def set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Let every group learn at this share of its full rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["full_rate"] * factor


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return moments and step counts by "<parameter number>.<name>", on the CPU."""
    state = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value.detach().cpu().clone().contiguous()
        for number, values in state.items()
        for name, value in values.items()
    }


def load_optimiser_state(optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Take over what `optimiser_state` returned of an optimiser over the same parameters."""
    values: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        number, _, name = key.partition(".")
        values.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": values, "param_groups": groups})
