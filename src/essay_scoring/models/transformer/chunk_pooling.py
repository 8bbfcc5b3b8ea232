"""From the states of tokens to one vector an essay, over all of its chunks at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from essay_scoring.features.chunking import TokenisedEssay

_LEAST_DEVIATION = 1e-6


def counted_tokens(essays: Sequence[TokenisedEssay], device: torch.device) -> Tensor:
    """Return (essays, all tokens): 1 where a token belongs to an essay and is counted, else 0."""
    counted = [torch.from_numpy(part) for essay in essays for part in essay.counted]
    owners = [number for number, essay in enumerate(essays) for _ in essay.counted]
    lengths = [len(part) for part in counted]
    rows = torch.repeat_interleave(torch.tensor(owners), torch.tensor(lengths))
    weights = torch.zeros(len(essays), len(rows))
    weights[rows, torch.arange(len(rows))] = torch.cat(counted)
    return weights.to(device)


class MeanPooling(nn.Module):
    """The mean over counted tokens; zeros for an essay without any."""

    def forward(self, states: Tensor, counted: Tensor) -> Tensor:
        """Return (n, width) of states (tokens, width) and counted (n, tokens)."""
        numbers = counted.sum(dim=1, keepdim=True).clamp(min=1.0)
        return (counted / numbers) @ states


class AttentionPooling(nn.Module):
    """A mean weighted by a learnt score of every counted token, softmax over the whole essay.

    Starts as the plain mean.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, states: Tensor, counted: Tensor) -> Tensor:
        """Return (n, width) of states (tokens, width) and counted (n, tokens)."""
        scores: Tensor = self.score(states).squeeze(-1).expand_as(counted)
        scores = scores.masked_fill(counted == 0, torch.finfo(scores.dtype).min)
        # Without a counted token softmax is even, and the product with `counted` takes it away.
        return (scores.softmax(dim=1) * counted) @ states


class Centring(nn.Module):
    """Subtracts a mean and divides by a deviation, each (width,), measured before training.

    The mean states of essays in one language are alike (Ethayarajh 2019); unless what they share
    is taken away, what tells them apart is small beside it, and a pooler learns it slowly. Starts
    as the identity.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def measure(self, pooled: Tensor) -> None:
        """Take mean and deviation of vectors (n, width); a column that does not vary keeps 1.

        Vectors that are not finite are left out: who is to blame is found when they are learnt.
        """
        finite = pooled[torch.isfinite(pooled).all(dim=1)]
        if len(finite) < 2:
            return
        deviation = finite.std(dim=0, correction=0)
        self.mean.copy_(finite.mean(dim=0))
        self.deviation.copy_(torch.where(deviation > _LEAST_DEVIATION, deviation, 1.0))

    def forward(self, pooled: Tensor) -> Tensor:
        """Return (n, width) of (n, width)."""
        return (pooled - self.mean) / self.deviation


class LayerMix(nn.Module):
    """A learnt mean of layers: softmax weights and a scale (Peters et al. 2018, equation 1).

    Layers are normalised first, since they differ in size. Starts as the plain mean.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Return (tokens, width) of as many such tensors as there are layers."""
        shares = self.weights.softmax(dim=0)
        mixed = torch.zeros_like(states[0], dtype=torch.float32)
        for share, state in zip(shares, states, strict=True):
            mixed = mixed + share * nn.functional.layer_norm(state.float(), state.shape[-1:])
        return self.scale * mixed
