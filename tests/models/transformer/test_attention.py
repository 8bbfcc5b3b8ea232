from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from essay_scoring.features.packed_attention import packed_attention
from essay_scoring.models.transformer.chunk_pooling import AttentionPooling, LayerMix, MeanPooling

BOUNDS = (0, 5, 6, 13)


def states(seed: int) -> Tensor:
    return torch.randn(1, 2, 15, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("window", [None, 1, 3])
def test_every_chunk_attends_within_its_bounds_and_window(window: int | None) -> None:
    query, key, value = (states(seed).requires_grad_() for seed in range(3))
    out, _ = packed_attention(
        nn.Identity(), query, key, value, None, cu_seq_lens_q=BOUNDS, sliding_window=window
    )
    # Two tokens lie behind the last bound.
    chunk = torch.tensor([0] * 5 + [1] + [2] * 7 + [3, 4])
    near = chunk[:, None] == chunk[None, :]
    if window is not None:
        at = torch.arange(15)
        near &= (at[:, None] - at[None, :]).abs() < window
    expected = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=near)
    assert out.shape == (1, 15, 2, 4)
    torch.testing.assert_close(out, expected.transpose(1, 2), atol=1e-6, rtol=1e-5)
    ours = torch.autograd.grad(out.square().sum(), (query, key, value))
    theirs = torch.autograd.grad(expected.square().sum(), (query, key, value))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_mean_leaves_out_what_is_not_counted() -> None:
    # Tokens 1, 2, 4 and 8; the first essay counts 1 and 4, the second none, the third 8 alone.
    tokens = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    counted = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    assert MeanPooling()(tokens, counted).tolist() == [[2.5], [0.0], [8.0]]


def test_attention_pooling_weighs_all_counted_tokens_of_an_essay_against_each_other() -> None:
    pooling = AttentionPooling(1)
    tokens = torch.tensor([[0.0], [9.0], [1.0], [5.0]])
    counted = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    # Even scores at the start: the mean of 0 and 1.
    assert pooling(tokens, counted).flatten().tolist() == [0.5, 0.0, 5.0]
    with torch.no_grad():
        pooling.score.weight.fill_(2.0)
    # Scores 0 and 2: e^2 / (1 + e^2) = 0.880797 of the second token; the 9 is not counted.
    torch.testing.assert_close(
        pooling(tokens, counted).flatten(), torch.tensor([0.880797, 0.0, 5.0])
    )


def test_a_mix_is_a_weighted_mean_of_normalised_layers() -> None:
    mix = LayerMix(2)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.0, float(torch.log(torch.tensor(3.0)))]))
        mix.scale.fill_(2.0)
    # Normalised, (0, 2) is (-1, 1) and (7, 1) is (1, -1); shares 1/4 and 3/4, then twice:
    # 2 * (-1/4 + 3/4, 1/4 - 3/4) = (1, -1).
    layers = [torch.tensor([[0.0, 2.0]]), torch.tensor([[7.0, 1.0]])]
    torch.testing.assert_close(mix(layers), torch.tensor([[1.0, -1.0]]), atol=1e-4, rtol=0)
