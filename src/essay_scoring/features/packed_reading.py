"""Reading chunks that lie end to end so that none of them sees, or is rounded by, its company.

Rows of a matrix product round differently with the number of rows. Here every product over tokens
has one number of rows, and attention works on one chunk at a time: a chunk's states are the same
bytes whatever lies beside it. No token is spent on padding but the last few.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from essay_scoring.features.backbone import Backbone

ROWS = 128
"""Tokens of one matrix product: enough for a CPU's full speed, and few of them go unused."""

_NAME = "essay_scoring_packed_reading"


def read_end_to_end(backbone: Backbone) -> None:
    """Let a backbone read its chunks end to end, each as if it were alone."""
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _attention)
    model = backbone.model
    model.set_attn_implementation(_NAME)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, _RowsLinear(child))
    backbone.layout, backbone.round_to = "packed", ROWS


class _RowsLinear(nn.Module):
    """A linear layer as products of ROWS rows each."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, states: Tensor) -> Tensor:
        """Return (..., out) of (..., in); the number of rows is a multiple of ROWS."""
        parts = states.reshape(-1, ROWS, states.shape[-1])
        out = states.new_empty(*parts.shape[:2], len(self.weight))
        for part, into in zip(parts, out, strict=True):
            into.copy_(nn.functional.linear(part, self.weight, self.bias))
        return out.reshape(*states.shape[:-1], -1)


def _attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    **how: Any,
) -> tuple[Tensor, None]:
    """Return attention (1, tokens, heads, size) within chunks, for (1, heads, tokens, size).

    `cu_seq_lens_q` holds the bounds of the chunks; what lies behind the last attends to nothing.
    """
    out = torch.zeros_like(query)
    for start, end in pairwise(how["cu_seq_lens_q"]):
        at = slice(start, end)
        out[:, :, at] = nn.functional.scaled_dot_product_attention(
            query[:, :, at], key[:, :, at], value[:, :, at], scale=how.get("scaling")
        )
    return out.transpose(1, 2), None
