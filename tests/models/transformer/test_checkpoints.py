from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from essay_scoring.models.transformer.checkpoints import Checkpoint, Checkpoints, Standing
from tests.conftest import told_by

from .killed_training import EPOCHS, TIMED_KILLS


def checkpoint(epochs: int, best: int) -> Checkpoint:
    curve = {"dev": [1.0] * epochs}
    state = {"network/w": torch.full((2, 2), float(epochs)), "optimiser/0.step": torch.tensor(3.0)}
    return Checkpoint(Standing(epochs, best, curve), state, {"w": torch.full((2,), float(best))})


def test_the_last_checkpoint_and_the_best_are_kept_and_nothing_else(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "work", "one")
    assert kept.read() is None
    for epochs, best in ((1, 1), (2, 2), (3, 2)):
        kept.write(checkpoint(epochs, best))
    names = {path.name for path in (tmp_path / "work").iterdir()}
    assert names == {"checkpoint.json", "epoch-3.safetensors", "best-2.safetensors"}
    found = Checkpoints(tmp_path / "work", "one").read()
    assert found is not None
    assert found.standing == Standing(3, 2, {"dev": [1.0] * 3})
    assert torch.equal(found.state["network/w"], torch.full((2, 2), 3.0))
    assert found.state["optimiser/0.step"].shape == ()
    assert torch.equal(found.best["w"], torch.full((2,), 2.0))


def test_a_checkpoint_of_other_settings_or_data_is_left_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, "one").write(checkpoint(2, 1))
    with caplog.at_level(logging.INFO, "essay_scoring"):
        assert Checkpoints(tmp_path, "other").read() is None
    assert "left a checkpoint of other settings or data aside" in caplog.text


@pytest.mark.parametrize("name", ["checkpoint.json", "epoch-2.safetensors", "best-1.safetensors"])
def test_a_damaged_checkpoint_is_not_gone_on_from(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, "one").write(checkpoint(2, 1))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:-2] + b"\x00\x00")
    assert Checkpoints(tmp_path, "one").read() is None
    (tmp_path / name).unlink()
    assert Checkpoints(tmp_path, "one").read() is None
    assert "damaged" in caplog.text


def test_without_a_folder_nothing_is_kept() -> None:
    Checkpoints(None, "one").write(checkpoint(1, 1))
    assert Checkpoints(None, "one").read() is None


def test_a_training_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    outcome = told_by("tests.models.transformer.killed_training", str(tmp_path), timeout=300)
    expected, endings = outcome["expected"], outcome["endings"]
    assert expected["trained"] == EPOCHS
    # An epoch puts two or three files in place and then removes one or two of the one before.
    assert len(endings) - TIMED_KILLS >= 3 * EPOCHS
    assert {ending["hash"] for ending in endings} == {expected["hash"]}
    assert all(ending["kept"] + ending["trained"] == EPOCHS for ending in endings)
    # The last kept is that of all epochs: killed after it, nothing is trained again.
    assert {ending["kept"] for ending in endings} == set(range(EPOCHS + 1))
