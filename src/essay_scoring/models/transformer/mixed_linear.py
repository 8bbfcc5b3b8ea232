"""Linear maps under mixed precision: frozen weights are cast once, adapters cost thin products.

Autocast casts a frozen weight at every use, and peft casts its input up and down again; the numbers
here are those, without the copies.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

ADAPTER = "default"
"""What peft calls the one adapter."""


def _dtype_for(x: Tensor) -> torch.dtype:
    """Return in which numbers products of x are computed here."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class FrozenLinear(nn.Linear):
    """A linear map that never learns and keeps its weights in the precision in use as well."""

    _cast: tuple[tuple[object, ...], Tensor, Tensor | None] | None = None

    @classmethod
    def of(cls, linear: nn.Linear) -> FrozenLinear:
        """Return a frozen map that shares the weights of another."""
        made = cls(linear.in_features, linear.out_features, bias=False, device="meta")
        made.weight, made.bias = linear.weight, linear.bias
        made.requires_grad_(False)
        return made.train(linear.training)

    def weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias in `dtype`; cast when first asked for, or when they changed."""
        if self.weight.dtype == dtype:
            return self.weight, self.bias
        state = (dtype, self.weight.device, self.weight.data_ptr(), self.weight._version)  # noqa: SLF001
        if self._cast is None or self._cast[0] != state:
            bias: Tensor | None = self.bias
            bias = None if bias is None else bias.detach().to(dtype)
            self._cast = (state, self.weight.detach().to(dtype), bias)
        return self._cast[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of x (..., in) to (..., out)."""
        dtype = _dtype_for(x)
        return nn.functional.linear(x.to(dtype), *self.weights(dtype))


class _Adapted(torch.autograd.Function):
    """x W' + b + scale (x A') B', its inputs kept in one precision."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, frozen: FrozenLinear, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        dtype = _dtype_for(x)
        weight, bias = frozen.weights(dtype)
        rows = x.reshape(-1, x.shape[-1]).to(dtype)
        down, up = a.to(dtype), (b * scale).to(dtype)
        inner = rows @ down.t()
        out = nn.functional.linear(rows, weight, bias).addmm_(inner, up.t())
        ctx.save_for_backward(rows, inner, weight, down, up)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        rows, inner, weight, down, up = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        through = grad @ up
        into = None
        if ctx.needs_input_grad[0]:
            into = (grad @ weight).addmm_(through, down).view(ctx.shape).to(ctx.dtype)
        for_a = (through.t() @ rows).float()
        for_b = (grad.t() @ inner).float() * ctx.scale
        return into, None, for_a, for_b, None


def _adapted_forward(layer: Any, x: Tensor) -> Tensor:
    """Return what peft's layer computes, for one adapter without dropout."""
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    scale = float(layer.scaling[ADAPTER])
    result: Tensor = _Adapted.apply(x, layer.base_layer, a, b, scale)  # type: ignore[no-untyped-call]
    return result


def quicken(model: nn.Module) -> None:
    """Let frozen linear maps of the model keep their casts, and adapters on them use thin products.

    Names of parameters stay as they are. Adapters with dropout keep peft's own way.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and not child.weight.requires_grad:
                setattr(parent, name, FrozenLinear.of(child))
    for layer in model.modules():
        if _is_plain_adapter(layer):
            layer.forward = MethodType(_adapted_forward, layer)


def _is_plain_adapter(layer: Any) -> bool:
    """Tell whether a layer is peft's adapter on a frozen linear map, without dropout."""
    if ADAPTER not in getattr(layer, "lora_A", {}):
        return False
    whole = isinstance(layer.base_layer, FrozenLinear)
    return whole and isinstance(layer.lora_dropout[ADAPTER], nn.Identity)
