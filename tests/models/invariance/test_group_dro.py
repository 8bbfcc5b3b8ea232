from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from essay_scoring.models.invariance.group_dro import GroupDroLoss
from essay_scoring.models.invariance.invariance_settings import GroupDro
from tests.models.invariance.steps import gradients, made_step, part_of


def group_dro(
    step_size: float = 1.0, adjustment: float = 0.0, sizes: tuple[int, ...] = (4, 25)
) -> GroupDroLoss:
    settings = GroupDro(step_size=step_size, adjustment=adjustment)
    return GroupDroLoss(settings, group_sizes=np.array(sizes))


def q_of(method: GroupDroLoss) -> list[float]:
    q: list[float] = method.log_q.exp().tolist()
    return q


def test_the_loss_is_the_q_weighted_sum_of_the_prompts_means() -> None:
    """Prompt 0 has a mean loss of (1 + 2 + 3) / 3 = 2, prompt 1 of 6; q is (1/2, 1/2) at first."""
    losses = torch.tensor([1.0, 2.0, 3.0, 6.0], requires_grad=True)
    step = made_step(losses, [0, 0, 0, 1])
    method = group_dro()
    assert float(method.loss(step).detach()) == pytest.approx(0.5 * 2 + 0.5 * 6)
    (found,) = gradients(group_dro(), [step], [losses])
    # q_g / n_g of an essay of prompt g: 1/2 / 3 and 1/2 / 1.
    assert found.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_q_moves_by_the_exponent_of_the_loss_and_the_step_after_uses_it() -> None:
    """With eta = log(2) / 2 and losses 2 and 6, q is as 2 to 2^3 and then as 1 to 16.

    The second step has the same losses: 1/5 x 2 is to 4/5 x 8 as 1 to 16.
    """
    losses = torch.tensor([2.0, 6.0], requires_grad=True)
    step = made_step(losses, [0, 1])
    method = group_dro(math.log(2) / 2)
    (first,) = gradients(method, [step], [losses])
    assert first.tolist() == pytest.approx([0.5, 0.5])
    assert q_of(method) == pytest.approx([1 / 5, 4 / 5])
    (second,) = gradients(method, [step], [losses])
    assert second.tolist() == pytest.approx([1 / 5, 4 / 5])
    assert q_of(method) == pytest.approx([1 / 17, 16 / 17])


def test_small_prompts_are_taken_for_worse_by_c_over_the_root_of_their_size() -> None:
    """Sizes 4 and 25 with C = 10: 10 / 2 = 5 and 10 / 5 = 2 are added to losses of 1 and 4.

    Both come to 6, so q stays as it was, though the losses differ.
    """
    method = group_dro(0.7, adjustment=10.0)
    step = made_step(torch.tensor([1.0, 4.0]), [0, 1])
    assert float(method.loss(step)) == pytest.approx(2.5)
    method.end_step()
    assert q_of(method) == pytest.approx([0.5, 0.5])


def test_a_prompt_that_was_not_in_the_step_keeps_its_weight_to_the_others_that_were_not() -> None:
    """Prompt 0 alone is seen, with a loss of log 4: q is as 4 to 1 to 1."""
    method = group_dro(sizes=(5, 5, 5))
    method.loss(made_step(torch.full((2,), math.log(4)), [0, 0], n_groups=3))
    method.end_step()
    assert q_of(method) == pytest.approx([4 / 6, 1 / 6, 1 / 6])


def test_accumulation_changes_neither_gradients_nor_q() -> None:
    torch.manual_seed(0)
    losses = torch.rand(8, requires_grad=True)
    groups = [0, 1, 1, 2, 0, 1, 2, 1]
    step = made_step(losses, groups, n_groups=3)
    ways = {"whole": [8], "halves": [4, 8], "uneven": [1, 6, 8]}
    found = {}
    for name, ends in ways.items():
        method = group_dro(0.5, adjustment=1.0, sizes=(3, 9, 4))
        starts = [0, *ends[:-1]]
        parts = [part_of(step, slice(a, b)) for a, b in zip(starts, ends, strict=True)]
        gradients(method, parts, [losses])
        found[name] = (*gradients(method, parts, [losses]), method.log_q)
    for name in ("halves", "uneven"):
        for one, other in zip(found["whole"], found[name], strict=True):
            torch.testing.assert_close(one, other)


def test_q_is_not_moved_by_a_loss_before_the_step_has_ended() -> None:
    method = group_dro()
    method.loss(made_step(torch.tensor([1.0, 9.0]), [0, 1]))
    assert q_of(method) == pytest.approx([0.5, 0.5])


def test_figures_tell_the_worst_prompt_and_how_far_q_leans() -> None:
    """Losses 2, 4 and 9 of prompts 0, 0 and 1: the worst mean is 9. q as 1 to 3: 1/4 and 3/4."""
    method = group_dro(math.log(3) / 6)
    method.loss(made_step(torch.tensor([2.0, 4.0, 9.0]), [0, 0, 1]))
    method.end_step()
    figures = method.epoch_figures()
    assert figures["group_worst_loss"] == 9.0
    assert figures["group_largest_share"] == pytest.approx(0.75)
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert figures["group_effective"] == pytest.approx(math.exp(entropy))
    assert method.epoch_figures()["group_worst_loss"] == 0.0


def test_q_is_kept_with_a_checkpoint_and_sums_of_a_step_are_not() -> None:
    method = group_dro()
    method.loss(made_step(torch.tensor([1.0, 2.0]), [0, 1]))
    method.end_step()
    state = method.state_dict()
    assert "log_q" in state
    assert not {"_sums", "_counts"} & set(state)
    fresh = group_dro()
    fresh.load_state_dict(state)
    assert q_of(fresh) == q_of(method)


def test_huge_losses_leave_q_a_distribution() -> None:
    method = group_dro(step_size=100.0)
    for _ in range(50):
        method.loss(made_step(torch.tensor([1e4, 2e4]), [0, 1]))
        method.end_step()
    assert math.isclose(sum(q_of(method)), 1.0)
