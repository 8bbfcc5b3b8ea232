from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from essay_scoring.core.progress import Progress
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run
from essay_scoring.runs.session import read_status
from tests.conftest import PATIENCE, SMOKE, smoke_config, told_by


def command(space: Workspace, *arguments: str) -> list[str]:
    """Return the command line of a smoke run."""
    program = "from essay_scoring.cli.main import program; program()"
    folders = ["--runs-dir", str(space.runs), "--cache-dir", str(space.cache)]
    config = str(SMOKE / "xgboost.toml")
    return [sys.executable, "-c", program, "cv", config, *folders, *arguments]


def folder_of(space: Workspace, *overrides: str) -> Path:
    """Return the folder that the smoke run will have."""
    run = open_run(smoke_config("xgboost", *overrides), space, Progress())
    return space.runs / run.folder_name


SMALL = (
    'baselines=["mean"]',
    "scorer.epochs=2",
    "data.corpus.n_essays=30",
    "data.corpus.n_locked=6",
    "evaluation.min_prompt_n=5",
)
FAMILIES = [
    pytest.param("xgboost", 6, (), id="xgboost"),
    # Killed in the middle of a fold it goes on from the last epoch.
    pytest.param("transformer", 4, SMALL, id="transformer", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("family", "kills", "overrides"), FAMILIES)
def test_a_killed_run_resumes_to_the_same_bytes(
    family: str, kills: int, overrides: tuple[str, ...], tmp_path: Path, warm_cache: Path
) -> None:
    arguments = [str(tmp_path), str(warm_cache), str(kills), family, *overrides]
    outcome = told_by("tests.runs.killed_runs", *arguments, timeout=500)
    assert outcome["cut_short"] == kills
    assert outcome["endings"] == [outcome["expected"]] * len(outcome["endings"])
    assert outcome["redone"] == 0


def test_two_processes_do_not_both_do_a_run(space: Workspace) -> None:
    with (
        subprocess.Popen(command(space), stderr=subprocess.PIPE, text=True) as first,
        subprocess.Popen(command(space), stderr=subprocess.PIPE, text=True) as second,
    ):
        errors = [process.communicate(timeout=PATIENCE)[1] for process in (first, second)]
    codes = sorted([first.returncode, second.returncode])
    assert codes in ([0, 5], [0, 0])
    if 5 in codes:
        assert any("another process (pid" in error for error in errors)
    folder = folder_of(space)
    require_intact(folder)
    log = (folder / "run.log").read_text(encoding="utf-8")
    assert log.count("stage cross-validation") == 1


def test_sigterm_leaves_interrupted_and_the_same_command_resumes(space: Workspace) -> None:
    more = ["--set", "scorer.rounds=1500", "--set", "scorer.patience=1500"]
    folder = folder_of(space, *more[1::2])
    with subprocess.Popen(command(space, *more), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + PATIENCE
        while not (folder / "models" / "fold-0" / "job.json").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        for _ in range(3):
            os.kill(process.pid, signal.SIGTERM)
            time.sleep(0.002)
        error = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 143
    assert "To resume: essay-scoring cv" in error
    assert "Traceback" not in error
    status = read_status(folder)
    assert status.state == "interrupted"
    assert status.said.resume.startswith("essay-scoring cv")
    assert not is_complete(folder)
    kept = (folder / "models" / "fold-0" / "job.json").stat().st_ino
    subprocess.run(command(space, *more), check=True, capture_output=True, timeout=PATIENCE)
    require_intact(folder)
    assert (folder / "models" / "fold-0" / "job.json").stat().st_ino == kept
