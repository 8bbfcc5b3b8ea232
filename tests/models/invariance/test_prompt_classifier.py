from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from essay_scoring.models.invariance.adversarial import AdversarialLoss, ramp
from essay_scoring.models.invariance.invariance_settings import Adversarial, PromptHead
from essay_scoring.models.invariance.prompt_classifier import PromptClassifier, scale_gradient
from essay_scoring.models.invariance.prompt_head import PromptHeadLoss
from tests.models.invariance.steps import gradients, made_step, part_of

SIZES = np.array([30, 10])


def adversary(strength: float = 1.0, *, hidden: int = 0, bands: bool = False) -> AdversarialLoss:
    settings = Adversarial(strength=strength, hidden=hidden, condition_on_band=bands)
    return AdversarialLoss(settings, group_sizes=SIZES, n_bands=3, width=2)


def head(strength: float = 1.0) -> PromptHeadLoss:
    settings = PromptHead(strength=strength, hidden=0)
    return PromptHeadLoss(settings, group_sizes=SIZES, n_bands=3, width=2)


def with_weights(method: PromptClassifier) -> PromptClassifier:
    """Let logits be (x, 0) for a representation (x, y), whatever else the classifier is shown."""
    linear = method.classifier
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[0, 0] = 1.0
    return method


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, 0.0),
        # 2 / (1 + e^-1) - 1 = 2 / 1.3678794 - 1
        (0.1, 0.4621172),
        # 2 / (1 + e^-5) - 1 = 2 / 1.0067379 - 1
        (0.5, 0.9866143),
        # 2 / (1 + e^-10) - 1 = 2 / 1.0000454 - 1
        (1.0, 0.9999092),
    ],
)
def test_the_ramp_is_that_of_ganin(progress: float, expected: float) -> None:
    assert ramp(progress) == pytest.approx(expected, abs=1e-7)


def test_a_scaled_gradient_leaves_values_alone() -> None:
    values = torch.tensor([2.0, -3.0], requires_grad=True)
    out = scale_gradient(values, -0.5)
    assert out.tolist() == [2.0, -3.0]
    torch.autograd.backward(out, torch.tensor([1.0, 4.0]))
    assert values.grad is not None
    assert values.grad.tolist() == [-0.5, -2.0]


def one_essay(method: PromptClassifier, progress: float = 1.0) -> tuple[float, list[torch.Tensor]]:
    """Return the loss and gradients of one essay of prompt 0 at (log 3, 0) with a loss of 0.7.

    Its logits are (log 3, 0): the classifier gives prompt 0 a chance of 3 / (3 + 1) = 0.75, a
    cross-entropy of -log 0.75 = 0.2876821, and d entropy / d logits = (0.75 - 1, 0.25).
    """
    place = torch.tensor([[math.log(3), 0.0]], requires_grad=True)
    loss = torch.tensor([0.7], requires_grad=True)
    step = made_step(loss, [0], representations=place, progress=progress)
    value = float(with_weights(method).loss(step).detach())
    linear = method.classifier
    assert isinstance(linear, nn.Linear)
    return value, gradients(method, [step], [place, loss, linear.weight, linear.bias])


def test_the_reversal_has_the_right_sign_and_size() -> None:
    """Through the weights ((1, 0), (0, 0)) the entropy's gradient at the place is (-0.25, 0)."""
    value, (place, loss, weight, bias) = one_essay(adversary(3.0))
    assert value == pytest.approx(0.7 + 0.2876821, abs=1e-6)
    assert loss.tolist() == [1.0]
    assert place[0].tolist() == pytest.approx([0.25 * 3 * 0.9999092, 0.0], abs=1e-6)
    # What the classifier itself learns from is neither reversed nor strengthened.
    assert bias.tolist() == pytest.approx([-0.25, 0.25], abs=1e-6)
    assert weight[0].tolist() == pytest.approx([-0.25 * math.log(3), 0.0], abs=1e-6)


def test_the_control_arm_differs_in_the_sign_alone() -> None:
    reversed_value, reversed_gradients = one_essay(adversary(3.0), progress=0.1)
    value, found = one_essay(head(3.0), progress=0.1)
    assert value == reversed_value
    assert found[0][0, 0] == pytest.approx(-0.25 * 3 * 0.4621172, abs=1e-6)
    assert torch.equal(found[0], -reversed_gradients[0])
    for mine, other in zip(found[1:], reversed_gradients[1:], strict=True):
        assert torch.equal(mine, other)


def test_at_the_start_nothing_enters_the_representation_but_the_classifier_learns() -> None:
    _, (place, _, _, bias) = one_essay(adversary(100.0), progress=0.0)
    assert place.abs().max() == 0
    assert bias.abs().max() > 0.2


def test_the_mean_is_over_the_essays_of_the_whole_step() -> None:
    """Two essays, one of either prompt, in the middle: (log 2 + log 2 + 1 + 3) / 2."""
    method = with_weights(adversary())
    step = made_step(torch.tensor([1.0, 3.0]), [0, 1])
    assert float(method.loss(step).detach()) == pytest.approx(math.log(2) + 2)
    first = part_of(step, slice(0, 1))
    assert float(method.loss(first).detach()) == pytest.approx((math.log(2) + 1) / 2)


@pytest.mark.parametrize("hidden", [0, 5])
def test_the_parts_of_a_step_add_up(hidden: int) -> None:
    torch.manual_seed(0)
    method = adversary(2.0, hidden=hidden, bands=True)
    places = torch.randn(6, 2, requires_grad=True)
    losses = torch.rand(6, requires_grad=True)
    step = made_step(
        losses, [0, 1, 1, 0, 1, 0], representations=places, bands=[0, 1, 2, 2, 1, 0], progress=0.3
    )
    leaves = [places, losses, *method.classifier.parameters()]
    whole = gradients(method, [step], leaves)
    cut = gradients(method, [part_of(step, slice(0, 1)), part_of(step, slice(1, 6))], leaves)
    for one, other in zip(whole, cut, strict=True):
        torch.testing.assert_close(one, other)


def test_the_band_is_shown_only_where_asked_for() -> None:
    """The band's column of the classifier is the third: 2 of the representation come first."""
    seen = with_weights(adversary(bands=True))
    linear = seen.classifier
    assert isinstance(linear, nn.Linear)
    assert linear.in_features == 2 + 3
    with torch.no_grad():
        # Band 1 speaks for prompt 1 with a logit of log 3.
        linear.weight[1, 2 + 1] = math.log(3)
    zero = torch.zeros(1)
    told = seen.loss(made_step(zero, [1], bands=[1]))
    assert float(told.detach()) == pytest.approx(-math.log(0.75))
    other = seen.loss(made_step(zero, [1], bands=[2]))
    assert float(other.detach()) == pytest.approx(math.log(2))
    blind = adversary().classifier
    assert isinstance(blind, nn.Linear)
    assert blind.in_features == 2


def test_figures_of_an_epoch_stand_beside_chance_and_majority() -> None:
    """Prompt 0 is named for x > 0: right for essays 1 and 3 of 4. 30 of 40 essays are its own."""
    method = with_weights(adversary())
    places = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    step = made_step(torch.zeros(4), [0, 1, 1, 0], representations=places)
    method.loss(part_of(step, slice(0, 1)))
    method.loss(part_of(step, slice(1, 4)))
    figures = method.epoch_figures()
    assert figures["prompt_accuracy"] == 0.5
    # log(1 + e^-1) where it is right, log(1 + e) = 1 more where it is wrong.
    assert figures["prompt_entropy"] == pytest.approx(math.log1p(math.exp(-1)) + 0.5, abs=1e-6)
    assert (figures["prompt_chance"], figures["prompt_majority"]) == (0.5, 0.75)
    assert method.epoch_figures()["prompt_accuracy"] == 0.0


def test_half_precision_representations_are_judged_in_full() -> None:
    places = torch.ones(1, 2, dtype=torch.bfloat16, requires_grad=True)
    loss = adversary().loss(made_step(torch.zeros(1), [0], representations=places))
    assert loss.dtype == torch.float32
    torch.autograd.backward(loss)
    assert places.grad is not None
    assert places.grad.dtype == torch.bfloat16
