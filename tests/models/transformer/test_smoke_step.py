from __future__ import annotations

import re

import pytest
import torch

from essay_scoring.core.errors import NotFiniteError

from .bag import network_of, settings, training

DRO = {"method": "group_dro", "step_size": 0.5}
ADVERSARY = {"method": "adversarial", "hidden": 4}


@pytest.mark.parametrize("method", [DRO, ADVERSARY])
def test_a_canary_comes_back_and_leaves_everything_as_it_was(method: dict[str, object]) -> None:
    taught = training(settings(invariance=method))
    before = taught.learner.state()
    report = taught.canary()
    line = r"canary ok precision=fp32 device=cpu loss=\d+\.\d+"
    assert re.fullmatch(line, report.line())
    after = taught.learner.state()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in taught.learner.network.parameters())


def test_a_canary_finds_a_weight_that_is_not_a_number() -> None:
    taught = training(settings())
    with torch.no_grad():
        network_of(taught.learner).head.bias[0] = float("nan")
    said = "fold-1, canary before training, prompt .*: the value .* not finite in fp32. To mend"
    with pytest.raises(NotFiniteError, match=said):
        taught.run("x")


def test_a_canary_finds_a_step_after_which_outputs_overflow() -> None:
    # AdamW's first step moves each weight by the rate: 1e37 times vectors of 1e3 is beyond 3.4e38.
    taught = training(settings(head_learning_rate=1e37, weight_decay=0.0))
    with torch.no_grad():
        network_of(taught.learner).norm.weight.fill_(1e3)
    with pytest.raises(NotFiniteError, match=r"canary before training, .*what the network says"):
        taught.canary()
    assert all(bool(torch.isfinite(p).all()) for p in taught.learner.network.parameters())
    assert float(network_of(taught.learner).head.weight.detach().abs().max()) < 1
