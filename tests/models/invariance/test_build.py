from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from essay_scoring.models.invariance.build import build_invariance
from essay_scoring.models.invariance.invariance_settings import (
    Adversarial,
    GroupDro,
    InvarianceSettings,
    NoInvariance,
)
from essay_scoring.models.invariance.step import Invariance
from tests.models.invariance.steps import gradients, made_step

METHODS = [
    member.model_fields["method"].default for member in get_args(get_args(InvarianceSettings)[0])
]


def built(settings: InvarianceSettings, seed: int = 0) -> Invariance:
    return build_invariance(settings, group_sizes=np.array([3, 5]), n_bands=4, width=2, seed=seed)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_the_union_takes_a_step(method: str) -> None:
    adapter: TypeAdapter[InvarianceSettings] = TypeAdapter(InvarianceSettings)
    one = built(adapter.validate_python({"method": method}))
    losses = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (found,) = gradients(one, [made_step(losses, [0, 1, 1], progress=0.5)], [losses])
    assert torch.isfinite(found).all()
    assert float(found.sum()) > 0
    assert all(np.isfinite(value) for value in one.epoch_figures().values())


def test_none_is_the_mean() -> None:
    losses = torch.tensor([1.0, 2.0, 6.0])
    assert float(built(NoInvariance()).loss(made_step(losses, [0, 0, 1]))) == 3.0


def test_a_seed_gives_the_same_classifier_and_leaves_the_global_state_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (built(Adversarial(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(
        first.state_dict()["classifier.0.weight"], other.state_dict()["classifier.0.weight"]
    )


def test_only_group_dro_asks_for_balanced_draws_and_can_do_without() -> None:
    assert not built(NoInvariance()).balanced
    assert not built(Adversarial()).balanced
    assert built(GroupDro()).balanced
    assert not built(GroupDro(balanced=False)).balanced
