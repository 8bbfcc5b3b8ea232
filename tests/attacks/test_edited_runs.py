"""Someone edits what lies in a run folder, then gives the same command again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from essay_scoring.core.files import read_json, write_json
from tests.attacks.commands import SMALL, refusal, run_command, the_run, words


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    """A home with one finished run."""
    home = tmp_path_factory.mktemp("finished")
    done = run_command(words("cv", "length", home, warm_cache, SMALL))
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(finished, tmp_path / "home")
    return tmp_path / "home"


def truth_as_prediction(run: Path) -> None:
    """Make one fold predict what the raters gave."""
    text = (run / "artifacts/residuals_cv_val_oof.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    true = {str(row["record_id"]): row["y_true"] for row in rows}
    fit = read_json(run / "models/fold-0/job.json")
    write_json(run / "models/fold-0/job.json", fit | {"raw": [true[one] for one in fit["ids"]]})


def unfinished(run: Path) -> None:
    """Take back that the run was finished, and its last fold, as a kill would leave it."""
    (run / "manifest.json").unlink()
    shutil.rmtree(run / "models/fold-4")
    shutil.rmtree(run / "artifacts")


def without_its_seal(run: Path) -> None:
    (run / "models/fold-0/manifest.json").unlink()


def another_fold(run: Path) -> None:
    """Give a fold the sealed fit of another one."""
    shutil.rmtree(run / "models/fold-0")
    shutil.copytree(run / "models/fold-1", run / "models/fold-0")


@pytest.mark.parametrize("attack", [truth_as_prediction, without_its_seal, another_fold])
@pytest.mark.parametrize("first", [lambda run: None, lambda run: (run / "manifest.json").unlink()])
def test_an_edited_fit_is_never_taken_up(
    home: Path,
    warm_cache: Path,
    attack: Callable[[Path], object],
    first: Callable[[Path], object],
) -> None:
    attack(the_run(home))
    first(the_run(home))
    line = refusal(run_command(words("cv", "length", home, warm_cache, SMALL)))
    assert "fold-0" in line or "added or removed" in line


def test_an_edited_fit_of_an_interrupted_run_is_never_taken_up(
    home: Path, warm_cache: Path
) -> None:
    truth_as_prediction(the_run(home))
    unfinished(the_run(home))
    line = refusal(run_command(words("cv", "length", home, warm_cache, SMALL)))
    assert "models/fold-0/job.json: changed since" in line
    assert not (the_run(home) / "manifest.json").exists()


def test_an_interrupted_run_that_nobody_edited_ends_with_the_same_bytes(
    home: Path, warm_cache: Path
) -> None:
    residuals = the_run(home) / "artifacts/residuals_cv_val_oof.csv"
    before = residuals.read_bytes()
    unfinished(the_run(home))
    assert run_command(words("cv", "length", home, warm_cache, SMALL)).returncode == 0
    assert residuals.read_bytes() == before


def test_an_edited_figure_of_a_finished_run_is_not_printed(home: Path, warm_cache: Path) -> None:
    path = the_run(home) / "artifacts/cv_metrics.json"
    metrics = read_json(path)
    metrics["summary"]["overall"]["qwk"]["estimate"] = 0.999
    write_json(path, metrics)
    line = refusal(run_command(words("cv", "length", home, warm_cache, SMALL)))
    assert "cv_metrics.json: changed since" in line
