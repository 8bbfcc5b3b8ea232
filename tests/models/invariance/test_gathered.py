"""V-REx and CORAL: arithmetic by hand, and a gathered step's gradient beside that of one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.models.invariance.build import build_invariance
from essay_scoring.models.invariance.coral import Coral, covariance
from essay_scoring.models.invariance.invariance_settings import InvarianceSettings
from essay_scoring.models.invariance.step import Invariance
from essay_scoring.models.invariance.vrex import VRex
from essay_scoring.models.transformer.learner import StepPosition
from tests.models.invariance.steps import made_step
from tests.models.transformer.bag import PLACE, learner, made_dataset, settings


def built(method: InvarianceSettings) -> Invariance:
    return build_invariance(method, group_sizes=np.array([3, 5]), n_bands=4, width=2, seed=0)


def test_vrex_is_the_mean_of_the_risks_and_their_variance() -> None:
    losses = torch.tensor([1.0, 3.0, 4.0, 6.0, 8.0], requires_grad=True)
    # Risks: (1 + 3) / 2 = 2 and (4 + 6 + 8) / 3 = 6. Mean 4; variance ((2-4)^2 + (6-4)^2) / 2 = 4.
    loss = built(VRex(beta=0.5)).loss(made_step(losses, [0, 0, 1, 1, 1]))
    assert float(loss.detach()) == 6.0
    torch.autograd.backward(loss)
    # d/dR_0 = 1/2 + 0.5 x 2 (2 - 4) / 2 = -1/2, over 2 essays; d/dR_1 = 1/2 + 1 = 3/2, over 3.
    assert losses.grad is not None
    assert losses.grad.tolist() == [-0.25, -0.25, 0.5, 0.5, 0.5]


def test_vrex_knows_only_the_prompts_of_the_step() -> None:
    """A prompt without an essay in the step has no risk, not a risk of zero."""
    step = made_step(torch.tensor([2.0, 4.0]), [1, 1], n_groups=3)
    assert float(built(VRex(beta=10.0)).loss(step)) == 3.0


def test_coral_is_the_distance_of_the_covariances() -> None:
    rows = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 4.0]], requires_grad=True)
    # Covariances: [[2, 0], [0, 0]] and [[0, 0], [0, 8]]. ||.||^2 = 4 + 64 = 68, over 4 d^2 = 16.
    assert covariance(rows[:2]).tolist() == [[2.0, 0.0], [0.0, 0.0]]
    assert covariance(rows[2:]).tolist() == [[0.0, 0.0], [0.0, 8.0]]
    step = made_step(torch.tensor([1.0, 1.0, 2.0, 2.0]), [0, 0, 1, 1], representations=rows)
    loss = built(Coral(strength=2.0)).loss(step)
    assert float(loss.detach()) == 1.5 + 2.0 * 68 / 16
    torch.autograd.backward(loss)
    # d C_00 / d x_00 = 2 (x_00 - mean) / (n - 1) = -2; times 2 x 2 (C_a - C_b)_00 x 2 / 16 = 0.5.
    assert rows.grad is not None
    assert rows.grad[:, 0].tolist() == [-1.0, 1.0, 0.0, 0.0]


def test_coral_takes_the_mean_over_pairs_and_leaves_out_single_essays() -> None:
    rows = torch.tensor([[0.0], [2.0], [0.0], [4.0], [0.0], [0.0], [9.0]])
    step = made_step(torch.zeros(7), [0, 0, 1, 1, 2, 2, 3], representations=rows, n_groups=4)
    # Variances 2, 8 and 0; prompt 3 has one essay. Pairs: 36, 4, 64; mean 104 / 3, over 4 d^2 = 4.
    assert float(built(Coral()).loss(step)) == pytest.approx(104 / 3 / 4)
    alone = made_step(torch.tensor([1.0, 3.0]), [0, 0], representations=rows[:2])
    assert float(built(Coral()).loss(alone)) == 2.0


METHODS: dict[str, dict[str, Any]] = {
    "vrex": {"method": "vrex", "beta": 3.0},
    "coral": {"method": "coral", "strength": 50.0},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_gathered_step_has_the_gradient_of_the_whole_graph(method: str) -> None:
    """One optimiser step cut into micro-batches, beside autograd on all essays at once."""
    dataset = made_dataset(24)
    taught = learner(dataset, settings(invariance=METHODS[method], batch_size=4, clip_norm=1e9))
    taught.network.train()
    output = taught.network(dataset.essays)
    weights = torch.tensor(dataset.weights, dtype=torch.float32)
    errors = (output.values[:, 0] - torch.tensor(dataset.labels[:, 0])) ** 2 * weights
    step = made_step(
        errors,
        dataset.groups.tolist(),
        representations=output.representations,
        n_groups=len(dataset.group_sizes),
    )
    loss = taught.invariance.loss(step)
    assert float(loss.detach()) > float(errors.detach().mean()) + 1e-3
    parameters = [value for _, value in taught.network.named_parameters() if value.requires_grad]
    expected = torch.autograd.grad(loss, parameters)
    taught.step(dataset, np.arange(24), StepPosition(0, 1, PLACE))
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
