from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.progress import ProgressEvent
from essay_scoring.core.scale import IntArray
from essay_scoring.models.transformer import learner as learner_module
from essay_scoring.models.transformer.checkpoints import Standing
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.learner import StepPosition
from essay_scoring.models.transformer.torch_settings import torch_settings
from essay_scoring.models.transformer.training_loop import Training

from .bag import PLACE, network_of, settings, training


def dev_loss(taught: Training) -> float:
    """Return the mean squared error of the standardised scores of dev, computed afresh."""
    reader = Inference(4096, PLACE)
    values = reader.read(taught.learner.network, taught.dev.essays, taught.dev.prompts).values
    return float(np.mean((values[:, 0].astype(float) - taught.dev.labels[:, 0]) ** 2))


def test_standings_remember_the_best_epoch_and_when_to_stop() -> None:
    standing = Standing()
    assert not standing.is_over(epochs=9, patience=2)
    seen = []
    for dev in (0.9, 0.7, 0.7, 0.8):
        standing = standing.after({"dev": dev, "train": 1.0})
        seen.append((standing.epochs, standing.best, standing.is_over(9, 2)))
    # An equal loss is no better: the earlier epoch stays.
    assert seen == [(1, 1, False), (2, 2, False), (3, 2, False), (4, 2, True)]
    assert standing.curve == {"dev": [0.9, 0.7, 0.7, 0.8], "train": [1.0] * 4}
    assert standing.is_over(4, 9)


def test_early_stopping_restores_the_best_epoch() -> None:
    # A rate far too high: dev is best early and then gets worse.
    chosen = settings(learning_rate=0.5, head_learning_rate=0.5, epochs=12, patience=3)
    taught = training(chosen)
    standing = taught.run("x")
    dev = standing.curve["dev"]
    assert standing.best < standing.epochs < 12
    assert standing.epochs == standing.best + 3
    assert standing.best == 1 + int(np.argmin(dev))
    assert dev_loss(taught) == pytest.approx(dev[standing.best - 1], rel=1e-6)
    assert dev_loss(taught) < dev[-1]


def test_training_says_how_it_was_done() -> None:
    chosen = settings(epochs=1, batch_size=4, accumulation=2, tokens_per_micro_batch=64)
    taught = training(chosen, n=30)
    taught.run("x")
    execution = taught.execution()
    assert (execution.precisions, execution.effective_batch) == (("fp32",), 8)
    assert (execution.length_bucketing, execution.chunked, execution.pooled) == (True, True, False)
    assert execution.gradient_checkpointing is chosen.gradient_checkpointing


def test_steps_cut_without_regard_to_length_are_not_said_to_be_bucketed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def by_order(rows: IntArray, *_: object) -> list[IntArray]:
        return [rows[start : start + 2] for start in range(0, len(rows), 2)]

    monkeypatch.setattr(learner_module, "cut_step", by_order)
    taught = training(settings(epochs=1, batch_size=4, accumulation=2), n=30)
    taught.run("x")
    assert taught.execution().length_bucketing is False


def test_essays_longer_than_a_chunk_are_not_said_to_be_chunked() -> None:
    taught = training(settings(epochs=1), n=30)
    shorter = taught.learner.settings.model_copy(update={"max_length": 2})
    taught.learner.settings = shorter
    assert taught.execution().chunked is False


def test_training_learns() -> None:
    taught = training(settings(epochs=8), n=200)
    standing = taught.run("x")
    assert standing.curve["train"][-1] < 0.7 * standing.curve["train"][0]
    assert standing.curve["dev"][-1] < 0.7 * dev_loss(training(settings(), n=200))


def test_the_learning_rate_is_that_of_the_last_step_of_each_epoch() -> None:
    taught = training(settings(epochs=3, patience=3), n=20)
    rates: list[float] = []
    for epoch in range(3):
        told = taught._epoch(epoch)["learning_rate"]
        groups = taught.learner.optimiser.param_groups
        assert {group["lr"] for group in groups if group["name"] == "encoder"} == {told}
        rates.append(told)
    assert taught.learner.settings.learning_rate > rates[0] > rates[1] > rates[2] > 0


def test_two_runs_have_the_same_bytes_whatever_the_global_random_state() -> None:
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch_settings(1, "cpu"):
            taught = training(settings(epochs=2))
            taught.run("x")
        states.append(taught.learner.state())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_global_random_state_threads_and_denormals_are_left_alone() -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    denormal = torch.tensor([1e-40])
    with torch_settings(1, "cpu"):
        assert (denormal * 1.0).item() == 0.0
        training(settings(epochs=1)).run("x")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert (denormal * 1.0).item() > 0.0


def test_progress_counts_essays_epoch_by_epoch() -> None:
    events: list[ProgressEvent] = []
    taught = training(settings(epochs=2), n=20)
    taught.progress.listeners.append(events.append)
    taught.run("x")
    ends = [event for event in events if event.done == event.total]
    assert [(event.stage, event.total, event.unit) for event in ends] == [
        ("fold-1 epoch 1", 20, "essays"),
        ("fold-1 epoch 2", 20, "essays"),
    ]


def test_a_number_on_dev_that_is_not_finite_stops_training(tmp_path: Path) -> None:
    taught = training(settings(), tmp_path)
    essay = taught.dev.essays[7]
    essay.ids[0][:] = 29
    for lesson in (taught.dataset, taught.dev):
        for other in lesson.essays:
            if other is not essay:
                other.ids[0][other.ids[0] == 29] = 2
    with torch.no_grad():
        network_of(taught.learner).words.weight[29] = float("nan")
    said = rf"fold-1, reading dev, epoch 1, prompt {taught.dev.prompts[7]!r}, up to {essay.tokens}"
    with pytest.raises(NotFiniteError, match=said):
        taught.run("x")
    assert not (tmp_path / "checkpoint.json").exists()


def test_a_message_names_the_epoch_and_the_step() -> None:
    taught = training(settings(epochs=1))
    rows = taught._steps(0)
    taught.dataset.labels[rows[2][1], 0] = float("nan")
    with pytest.raises(NotFiniteError, match="fold-1, training, epoch 1, step 3, prompt 'prompt"):
        taught.run("x")


def test_the_weights_of_the_later_steps_are_averaged_judged_and_kept() -> None:
    chosen = settings(epochs=3, patience=3, average_from=2, learning_rate=0.002)
    alone, taught = training(chosen, n=40), training(chosen, n=40)
    met: list[torch.Tensor] = []
    for epoch in range(3):
        for number, rows in enumerate(alone._steps(epoch)):
            steps = len(alone._steps(epoch))
            at = StepPosition(epoch * steps + number, 3 * steps, alone._place)
            alone.learner.step(alone.dataset, rows, at)
            if epoch >= 1:
                met.append(alone.learner.network.trained_state()["head.weight"])
    standing = taught.run("x")
    assert standing.best == 3
    kept = taught.learner.network.trained_state()["head.weight"]
    torch.testing.assert_close(kept, torch.stack(met).mean(dim=0))
    assert not torch.allclose(kept, met[-1], rtol=1e-3)
    assert dev_loss(taught) == pytest.approx(standing.curve["dev"][-1], rel=1e-6)


def test_an_average_needs_an_epoch_to_start_at() -> None:
    with pytest.raises(ValueError, match="average_from must be one of the epochs"):
        settings(epochs=2, average_from=3)
