"""In which numbers a network computes: resolved once, named, and the same words everywhere."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal

from essay_scoring.core.errors import InputError
from essay_scoring.features.frozen_encoder import Device, cpu_has_bf16

Asked = Literal["none", "bf16", "fp16", "auto"]
Resolved = Literal["fp32", "bf16", "fp16"]


def resolve(asked: Asked, device: Device) -> Resolved:
    """Return the precision of matrix products: weights are fp32 whatever it is.

    `auto` is bf16 on a GPU, and on a CPU, that multiplies it natively; fp32 elsewhere and on ROCm.
    Raises InputError for fp16 on a CPU.
    """
    if asked == "fp16" and device == "cpu":
        raise InputError(
            "fp16 does not train on a CPU",
            where="scorer.mixed_precision",
            mend="use bf16 or none, or a GPU",
        )
    if asked == "auto":
        native = cpu_has_bf16() if device == "cpu" else _gpu_has_bf16()
        return "bf16" if native else "fp32"
    return "fp32" if asked == "none" else asked


def _gpu_has_bf16() -> bool:
    """Tell whether this GPU multiplies bf16 natively and can be trusted with it."""
    import torch

    if torch.version.hip is not None:
        return False
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@dataclass(frozen=True)
class Arithmetic:
    """Where a network computes, and in which numbers."""

    device: Device
    precision: Resolved

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which a network computes so; weights and losses stay fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        import torch

        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        # The cache of casts is one for all threads: what one leaves, others would round by.
        return torch.autocast(self.device, dtype, cache_enabled=self.device == "cuda")
