"""A number that is not finite ends a run, and what it leaves behind is no evidence."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.cli.main import run as command
from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.models.transformer import network
from essay_scoring.models.transformer.network import EssayNetwork
from essay_scoring.models.transformer.training_loop import Training
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import ROOT, smoke_config

NAN = float("nan")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("essay_scoring.runs.run.cores", lambda: 1)


@pytest.fixture
def space(tmp_path: Path, cache: Path) -> Workspace:
    """A workspace without feature columns: nothing here asks for any."""
    return Workspace(tmp_path / "runs", cache, tmp_path)


def stopped(space: Workspace) -> str:
    """Run the smoke config until it stops; return why, once nothing of it can be evidence."""
    config = smoke_config("transformer", 'baselines=["mean"]')
    with pytest.raises(NotFiniteError) as caught:
        run_cv(open_run(config, space, Progress()), report=lambda _: None, resume="again")
    [folder] = [path for path in space.runs.iterdir() if path.is_dir()]
    status = read_json(folder / "status.json")
    assert status["state"] == "failed"
    assert status["failure"] == {"type": "NotFiniteError", "message": caught.value.line()}
    assert not is_complete(folder)
    assert not (folder / "artifacts").exists()
    plan = str(ROOT / "configs" / "gates" / "prompt_holdout_primary.toml")
    assert command(["compare-cv-runs", str(folder), str(folder), "--plan", plan]) == 4
    return caught.value.line()


def test_a_weight(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    build = network.build_network

    def poisoned(*arguments: Any, **named: Any) -> EssayNetwork:
        built = build(*arguments, **named)
        with torch.no_grad():
            built.backbone.layers[0].output.dense.weight[3, 5] = NAN
        return built

    monkeypatch.setattr(network, "build_network", poisoned)
    said = stopped(space)
    assert said.startswith("fold-0, canary before training, prompt '")
    assert re.search(r"the value that the network gives of (\d) of \1 essays is not finite", said)


def test_the_labels_of_one_batch(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[str] = []
    run = Training.run

    def poisoned(training: Training, fingerprint: str) -> Any:
        steps = training._steps(0)
        rows = steps[-1]
        training.dataset.labels[rows] = NAN
        expected.append(f"fold-0, training, epoch 1, step {len(steps)}, prompt '")
        # The longest essays of a step come first, as many as fit.
        expected.append(f"up to {max(training.dataset.tokens[row] for row in rows)} tokens: ")
        return run(training, fingerprint)

    monkeypatch.setattr(Training, "run", poisoned)
    said = stopped(space)
    assert said.startswith(expected[0])
    assert expected[1] + "the loss of " in said


def test_the_embedding_of_one_essay(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[str] = []
    run = Training.run

    def poisoned(training: Training, fingerprint: str) -> Any:
        dataset = training.dataset
        essays = [set(np.concatenate(essay.ids).tolist()) for essay in dataset.essays]
        spread = Counter(token for tokens in essays for token in tokens)
        row = next(
            int(row)
            for row in training._steps(0)[1]
            if any(spread[token] == 1 for token in essays[row])
        )
        token = next(token for token in essays[row] if spread[token] == 1)
        words = training.learner.network.backbone.model.get_input_embeddings()
        with torch.no_grad():
            words.weight[token] = NAN
        expected.append(f"prompt {dataset.prompts[row]!r}, up to {dataset.tokens[row]} tokens: ")
        return run(training, fingerprint)

    monkeypatch.setattr(Training, "run", poisoned)
    said = stopped(space)
    assert said.startswith(f"fold-0, training, epoch 1, step 2, {expected[0]}")
    assert re.search(r"the value that the network gives of 1 of \d essays is not finite", said)


def test_the_command_exits_1_with_one_line(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def poisoned(training: Training) -> Any:
        training.dataset.labels[:] = NAN
        return canary(training)

    canary = Training.canary
    monkeypatch.setattr(Training, "canary", poisoned)
    config = str(ROOT / "configs" / "smoke" / "transformer.toml")
    folders = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    assert command(["transformer-finetune", config, *folders, "--canary"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("error: fold-0, canary before training, prompt '")
    assert not Path(space.runs).exists()
