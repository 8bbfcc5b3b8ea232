from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.models.transformer.learner import Learner, StepPosition, essay_losses
from essay_scoring.models.transformer.training_dataset import TrainingDataset

from .bag import PLACE, VOCABULARY, learner, made_dataset, network_of, settings

METHODS: dict[str, dict[str, Any]] = {
    "none": {"method": "none"},
    "adversarial": {"method": "adversarial", "condition_on_band": True, "hidden": 4},
    "prompt_head": {"method": "prompt_head", "hidden": 0},
    "group_dro": {"method": "group_dro", "balanced": False, "step_size": 0.5},
    "vrex": {"method": "vrex", "beta": 2.0},
    "coral": {"method": "coral", "strength": 2.0, "balanced": False},
}
NAN = float("nan")


def at(step: int = 0, total: int = 4) -> StepPosition:
    return StepPosition(step, total, PLACE)


def test_a_trait_that_was_not_rated_is_left_out() -> None:
    values = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 9.0, 9.0]], requires_grad=True)
    labels = torch.tensor([[0.0, 0.0, 1.0], [2.0, NAN, 1.0], [1.0, NAN, NAN]])
    losses = essay_losses(values, labels, torch.tensor([1.0, 2.0, 3.0]), trait_weight=0.5)
    # 1 x (1 + 0.5 (4 + 1) / 2); 2 x (4 + 0.5 x 4 / 1); 3 x (1 + nothing)
    assert losses.tolist() == [2.25, 12.0, 3.0]
    torch.autograd.backward(losses.sum())
    # 2 x 1; 0.5 (2 x 2) / 2; 0.5 (2 x -1) / 2. Then 2 x 2 x -2; 0; 2 x 0.5 x 2 x 2. Then 3 x 2.
    assert values.grad is not None
    assert values.grad.tolist() == [[2.0, 1.0, -0.5], [-8.0, 0.0, 4.0], [6.0, 0.0, 0.0]]


def test_a_score_that_is_not_a_number_is_not_left_out() -> None:
    labels = torch.tensor([[NAN, 1.0]])
    losses = essay_losses(torch.zeros(1, 2), labels, torch.ones(1), trait_weight=0.5)
    assert torch.isnan(losses).all()


def after(method: dict[str, Any], dataset: TrainingDataset, **cut: int) -> Learner:
    """Return a learner after an epoch of two steps, of 32 essays and of the 12 that are left."""
    taught = learner(dataset, settings(invariance=method, **cut))
    for number, rows in enumerate((np.arange(32), np.arange(32, 44))):
        taught.step(dataset, rows, at(number, total=3))
    return taught


@pytest.mark.parametrize("method", METHODS)
def test_eight_essays_four_times_equal_thirty_two_once(method: str) -> None:
    dataset = made_dataset(44, traits=2)
    dataset.labels[::3, 1] = NAN
    parts = after(METHODS[method], dataset, batch_size=8, accumulation=4)
    whole = after(METHODS[method], dataset, batch_size=32, accumulation=1)
    tokens = after(
        METHODS[method], dataset, batch_size=8, accumulation=4, tokens_per_micro_batch=64
    )
    untaught = learner(dataset, settings(invariance=METHODS[method])).state()
    for name, expected in whole.state().items():
        for other in (parts, tokens):
            torch.testing.assert_close(other.state()[name], expected, rtol=1e-4, atol=1e-5)
    moved = whole.network.trained_state()
    assert all(not torch.equal(moved[name], untaught[f"network/{name}"]) for name in moved)


def test_a_partial_step_is_scaled_by_its_own_essays() -> None:
    """The last step once counted as if it were full, so its gradient was too small."""
    dataset = made_dataset(3)
    taught = learner(dataset, settings(batch_size=2, accumulation=8, clip_norm=1e9))
    network = network_of(taught)
    network.eval()
    values = network(dataset.essays).values[:, 0]
    errors = values - torch.tensor(dataset.labels[:, 0])
    # The mean over the three essays that there are: d/dw sum_i w_i (v_i - y_i)^2 / 3.
    mean = torch.sum(torch.tensor(dataset.weights, dtype=torch.float32) * errors**2) / 3
    expected = torch.autograd.grad(mean, network.head.weight)[0]
    loss = taught.step(dataset, np.arange(3), at())
    torch.testing.assert_close(network.head.weight.grad, expected)
    assert loss == pytest.approx(mean.item())


def norm(module: torch.nn.Module) -> float:
    """Return the global norm of a module's gradients."""
    gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    return float(torch.cat(gradients).norm())


def test_gradients_are_clipped_by_their_norm_apart_for_scorer_and_adversary() -> None:
    """Clipped together, a loud adversary would shorten the scorer's step to almost nothing."""
    dataset = made_dataset(16)
    method = {"method": "prompt_head", "hidden": 0, "strength": 100.0}
    taught = learner(dataset, settings(invariance=method, clip_norm=0.01))
    taught.step(dataset, np.arange(16), at(3))
    # Each is as long as the clip: clipped together, their squares would add up to its square.
    assert norm(taught.network) == pytest.approx(0.01, rel=1e-3)
    assert norm(taught.invariance) == pytest.approx(0.01, rel=1e-3)


def step_of(taught: Learner, dataset: TrainingDataset) -> None:
    taught.step(dataset, np.arange(8), StepPosition(0, 4, PLACE))


WHERE = r"fold-1, training, .*prompt 'prompt \d'.*, up to \d+ tokens"


def test_a_weight_that_is_not_a_number_stops_training() -> None:
    dataset = made_dataset(8)
    taught = learner(dataset, settings())
    before = taught.network.trained_state()
    with torch.no_grad():
        network_of(taught).hidden.weight[0, 0] = NAN
    with pytest.raises(NotFiniteError, match=WHERE + ".*value .* of 4 of 4 essays") as caught:
        step_of(taught, dataset)
    assert caught.value.exit_code == 1
    assert torch.equal(before["head.weight"], taught.network.trained_state()["head.weight"])


def test_a_label_that_is_not_a_number_names_its_own_prompt_and_length() -> None:
    dataset = made_dataset(8)
    dataset.labels[5, 0] = NAN
    tokens = dataset.essays[5].tokens
    said = f"{dataset.prompts[5]!r}, up to {tokens} tokens: the loss of 1 of 4 essays is not finite"
    with pytest.raises(NotFiniteError, match=said):
        step_of(learner(dataset, settings()), dataset)


def test_an_embedding_that_is_not_a_number_names_the_essays_that_use_it() -> None:
    dataset = made_dataset(8)
    unused = VOCABULARY - 1
    for essay in dataset.essays:
        essay.ids[0][essay.ids[0] == unused] = 2
    dataset.essays[2].ids[0][0] = unused
    taught = learner(dataset, settings())
    with torch.no_grad():
        network_of(taught).words.weight[unused] = NAN
    said = f"{dataset.prompts[2]!r}, up to {dataset.essays[2].tokens} tokens: the value"
    with pytest.raises(NotFiniteError, match=said):
        step_of(taught, dataset)


def test_a_gradient_that_is_not_a_number_stops_training_before_the_step() -> None:
    dataset = made_dataset(8)
    taught = learner(dataset, settings())
    head = network_of(taught).head.weight
    head.register_hook(lambda gradient: gradient * NAN)  # type: ignore[no-untyped-call]
    before = head.detach().clone()
    with pytest.raises(NotFiniteError, match=WHERE + ": the gradient of the network is not finite"):
        step_of(taught, dataset)
    assert torch.equal(head, before)


def test_a_learner_restored_takes_the_same_steps() -> None:
    dataset = made_dataset(24)
    chosen = settings(invariance=METHODS["adversarial"])
    once, first, second = (learner(dataset, chosen) for _ in range(3))
    for number in range(3):
        once.step(dataset, np.arange(8) + 8 * number, at(number))
    first.step(dataset, np.arange(8), at(0))
    second.load_state(first.state())
    for number in (1, 2):
        second.step(dataset, np.arange(8) + 8 * number, at(number))
    ended, resumed = once.state(), second.state()
    assert ended.keys() == resumed.keys()
    assert all(torch.equal(ended[name], resumed[name]) for name in ended)
