"""The scaler of fp16, tried in fp32, and training on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.progress import Progress
from essay_scoring.models.transformer.learner import Learner, StepPosition
from essay_scoring.models.transformer.smoke_step import take_smoke_step
from essay_scoring.models.transformer.training_dataset import TrainingDataset
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.fine_tuning import run_smoke_step
from tests.conftest import smoke_config

from .bag import PLACE, learner, made_dataset, network_of, settings

NAN = float("nan")
ROWS = np.arange(8)


def scaled(dataset: TrainingDataset, scale: float) -> Learner:
    """Return a learner whose losses are scaled."""
    taught = learner(dataset, settings(clip_norm=0.1))
    taught.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return taught


def overflow(taught: Learner, times: int) -> None:
    """Let the head's gradient overflow that many times."""
    left = [times]

    def once(gradient: torch.Tensor) -> torch.Tensor:
        left[0] -= 1
        return gradient * float("inf") if left[0] >= 0 else gradient

    network_of(taught).head.weight.register_hook(once)  # type: ignore[no-untyped-call]


def test_gradients_are_clipped_as_they_are_without_the_scale() -> None:
    """Clipping scaled gradients would make every step as long as the clip."""
    dataset = made_dataset(8)
    plain, other = learner(dataset, settings(clip_norm=0.1)), scaled(dataset, 1024.0)
    for taught in (plain, other):
        taught.step(dataset, ROWS, StepPosition(0, 2, PLACE))
    for name, value in plain.network.trained_state().items():
        torch.testing.assert_close(other.network.trained_state()[name], value)


def test_a_step_whose_scaled_gradient_overflows_is_left_out() -> None:
    dataset = made_dataset(8)
    taught = scaled(dataset, 1024.0)
    before = taught.network.trained_state()
    overflow(taught, 1)
    taught.step(dataset, ROWS, StepPosition(0, 2, PLACE))
    assert taught.scaler.get_scale() == 512.0
    after = taught.network.trained_state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    fresh = scaled(dataset, 4.0)
    fresh.load_state(taught.state())
    assert fresh.scaler.get_scale() == 512.0


def test_gradients_that_overflow_unscaled_stop_training() -> None:
    dataset = made_dataset(8)
    taught = scaled(dataset, 2.0)
    overflow(taught, 9)
    taught.step(dataset, ROWS, StepPosition(0, 2, PLACE))
    with pytest.raises(NotFiniteError, match="the gradient of the network is not finite"):
        taught.step(dataset, ROWS, StepPosition(1, 2, PLACE))


def test_a_canary_goes_on_until_a_step_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = made_dataset(8)
    taught = learner(dataset, settings(batch_size=8))
    overflow(taught, 2)
    make = Learner.__init__

    def made(sent: Learner, *given: Any) -> None:
        make(sent, *given)
        sent.scaler = torch.amp.GradScaler("cpu", init_scale=16.0)

    scales: list[float] = []
    step = Learner.step

    def watched(sent: Learner, *given: Any) -> float:
        scales.append(sent.scaler.get_scale())
        return step(sent, *given)

    monkeypatch.setattr(Learner, "__init__", made)
    monkeypatch.setattr(Learner, "step", watched)
    take_smoke_step(taught, dataset, ROWS, PLACE)
    # The first two steps changed nothing but the scale.
    assert scales == [16.0, 8.0, 4.0]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["none", "bf16", "fp16"])
def test_the_canary_comes_back_on_a_gpu(precision: str, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    config = smoke_config("transformer", f"scorer.mixed_precision={precision}")
    report = run_smoke_step(config, Workspace(tmp_path, tmp_path / "cache", tmp_path), Progress())
    assert report.arithmetic.device == "cuda"
    assert np.isfinite(report.loss)
