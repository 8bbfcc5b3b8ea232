"""Attention of chunks that lie end to end: no padding, no mask, and fast to train on a CPU.

A blocked kernel saves memory that a CPU does not lack, and pays for it in the backward pass: plain
products train half again as fast. A mask costs as much as the products, so there is none: every
chunk attends within its own bounds.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

NAME = "essay_scoring_packed"
"""What transformers knows this attention by."""


def register() -> None:
    """Make the attention known to transformers; without a mask function it makes no masks."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, packed_attention)


def packed_attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    **how: Any,
) -> tuple[Tensor, None]:
    """Return attention of shape (1, tokens, heads, size) for inputs (1, heads, tokens, size).

    `cu_seq_lens_q` holds the bounds of the chunks, from 0; tokens behind the last attend to
    themselves alone. `sliding_window` lets a token attend to those less than so far away.
    """
    scaling = how.get("scaling")
    query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    window = how.get("sliding_window")
    dropout = float(how.get("dropout", 0.0))
    bounds = how.get("cu_seq_lens_q", (0, query.shape[2]))
    lengths = [end - start for start, end in pairwise(bounds)]
    lengths.append(query.shape[2] - bounds[-1])
    # Split rather than sliced: the gradient of a slice is a whole tensor of zeros.
    split = (torch.split(x[0], lengths, dim=1) for x in (query, key, value))
    *parts, (_, _, rest) = zip(*split, strict=True)
    each = [_attend(q, k, v, window, dropout) for q, k, v in parts]
    return torch.cat([*each, rest.transpose(0, 1)]).unsqueeze(0), None


def _attend(
    query: Tensor, key: Tensor, value: Tensor, window: int | None, dropout: float
) -> Tensor:
    """Return (tokens, heads, size) of one chunk's (heads, tokens, size)."""
    scores = query @ key.transpose(1, 2)
    if window is not None and scores.shape[-1] > window:
        at = torch.arange(scores.shape[-1], device=scores.device)
        far = (at[:, None] - at[None, :]).abs() >= window
        scores = scores.masked_fill(far, torch.finfo(scores.dtype).min)
    weights = nn.functional.dropout(scores.softmax(dim=-1), dropout, training=dropout > 0)
    return (weights @ value).transpose(0, 1)
