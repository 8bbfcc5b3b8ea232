from __future__ import annotations

import pytest
import torch
from torch import nn

from essay_scoring.models.transformer.optimiser import (
    build_optimiser,
    load_optimiser_state,
    optimiser_state,
    rate_factor,
    set_rates,
)

from .bag import BagNetwork, settings


def test_matrices_decay_and_biases_and_norms_do_not() -> None:
    network = BagNetwork()
    method = [("classifier.weight", nn.Parameter(torch.ones(2, 2)))]
    groups = {**network.parameter_groups(), "invariance": method}
    chosen = settings(learning_rate=0.1, head_learning_rate=0.4, weight_decay=0.5)
    found = {
        id(parameter): (group["name"], group["lr"], group["weight_decay"])
        for group in build_optimiser(groups, chosen).param_groups
        for parameter in group["params"]
    }
    named = {name: parameter for pairs in groups.values() for name, parameter in pairs}
    assert {name: found[id(parameter)] for name, parameter in named.items()} == {
        "hidden.weight": ("encoder", 0.1, 0.5),
        "hidden.bias": ("encoder", 0.1, 0.0),
        "norm.weight": ("encoder", 0.1, 0.0),
        "norm.bias": ("encoder", 0.1, 0.0),
        "head.weight": ("head", 0.4, 0.5),
        "head.bias": ("head", 0.4, 0.0),
        "classifier.weight": ("invariance", 0.4, 0.5),
    }


def test_the_rate_climbs_in_equal_parts_and_falls_in_a_straight_line() -> None:
    chosen = settings(warmup_share=0.25)
    # ceil(8 x 0.25) = 2 steps of warm-up, then 6 steps from 1 down by a sixth each.
    expected = [1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert [rate_factor(step, 8, chosen) for step in range(8)] == pytest.approx(expected)


def test_the_rate_falls_along_half_a_cosine() -> None:
    chosen = settings(warmup_share=0.0, schedule="cosine")
    # (1 + cos(0, 60, 120 degrees)) / 2
    assert [rate_factor(step, 3, chosen) for step in range(3)] == pytest.approx([1, 0.75, 0.25])


def test_one_step_of_training_has_the_full_rate() -> None:
    assert rate_factor(0, 1, settings(warmup_share=0.0)) == 1
    assert rate_factor(0, 1, settings(warmup_share=0.9)) == 1


def test_rates_are_shares_of_each_group_s_own() -> None:
    groups = BagNetwork().parameter_groups()
    optimiser = build_optimiser(groups, settings(learning_rate=0.1, head_learning_rate=0.4))
    for factor in (0.5, 0.25):
        set_rates(optimiser, factor)
        rates = {group["name"]: group["lr"] for group in optimiser.param_groups}
        assert rates == {"encoder": 0.1 * factor, "head": 0.4 * factor}


def test_a_restored_optimiser_takes_the_same_step() -> None:
    weights = []
    for restored in (False, True):
        layer = nn.Linear(2, 1)
        nn.init.constant_(layer.weight, 1.0)
        nn.init.constant_(layer.bias, 0.0)
        optimiser = build_optimiser({"encoder": layer.named_parameters()}, settings())
        for number in range(3):
            if restored and number == 2:
                fresh = build_optimiser({"encoder": layer.named_parameters()}, settings())
                load_optimiser_state(fresh, optimiser_state(optimiser))
                optimiser = fresh
            optimiser.zero_grad()
            torch.autograd.backward(layer(torch.tensor([[1.0, 2.0]])).square().sum())
            optimiser.step()
        weights.append(layer.weight.detach().clone())
    assert torch.equal(*weights)
