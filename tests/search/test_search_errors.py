from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.files import write_text
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.search import Outcome
from essay_scoring.search.evaluator import Evaluator
from tests.conftest import ROOT
from tests.search.made import SMOKE_SEARCH
from tests.search.test_search_run import HOPELESS
from tests.search.test_search_workers import only_folder, require_each_once


@pytest.fixture
def folders(tmp_path: Path, warm_cache: Path) -> list[str]:
    """Return the folder options of a command."""
    return ["--runs-dir", str(tmp_path / "runs"), "--cache-dir", str(warm_cache)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optuna-sweep", "absent.toml"], "no such file"),
        (["optuna-sweep", str(SMOKE_SEARCH), "--set", "objective=best"], "objective: Input should"),
        (["optuna-sweep", str(SMOKE_SEARCH), "--set", "trials=51"], "--trials-beyond-cap"),
        (["optuna-sweep", str(SMOKE_SEARCH), "--storage", "nowhere"], "storage does not answer"),
        (["optuna-sweep", str(SMOKE_SEARCH), "--workers", "0"], "--workers"),
        (["xgb-sweep", "absent.toml"], "no such file"),
        (["xgb-sweep", str(ROOT / "configs/smoke/ridge.toml")], "grid"),
        (["xgb-sweep", str(ROOT / "configs/smoke/xgboost.toml"), "--objective", "x"], "objective"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], message: str, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, *folders]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_search_without_a_feasible_trial_exits_3(
    tmp_path: Path, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(tmp_path / "hopeless.toml", HOPELESS)
    command = ["optuna-sweep", str(tmp_path / "hopeless.toml"), *folders]
    for _ in range(2):
        assert run(command) == 3
        said = capsys.readouterr()
        assert "No trial kept both tails: each lost more than 0.01" in said.out
        assert "The reference stays." in said.out
    assert run([*command, "--allow-tail-regression"]) == 0


def test_an_infeasible_space_is_one_line_and_leaves_nothing(
    tmp_path: Path, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    space = '[space."scorer.subsample"]\nkind = "float"\nlow = 0.5\nhigh = 2.0\n'
    config = f'name = "x"\nconfig = "{ROOT}/configs/smoke/xgboost.toml"\n'
    write_text(tmp_path / "x.toml", config + space)
    assert run(["optuna-sweep", str(tmp_path / "x.toml"), *folders]) == 2
    said = capsys.readouterr().err
    assert "space.scorer.subsample, value 2.0" in said
    assert "less than or equal to 1" in said
    assert not (tmp_path / "runs").exists()


def flat_smoke(folders: list[str], *more: str) -> list[str]:
    return ["optuna-sweep", str(SMOKE_SEARCH), "--flat", *folders, *more]


def finished_in(folder: Path) -> dict[Path, int]:
    """Return the files of finished trials, and which they are on disk."""
    return {path: path.stat().st_ino for path in folder.glob("trials/all/*.json")}


def test_a_full_disk_ends_the_search_in_one_line_and_loses_no_finished_trial(
    tmp_path: Path, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No file may grow beyond a limit, which cuts the journal off in the middle of a line."""
    command = flat_smoke(folders, "--set", "trials=12")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, hard))
    try:
        assert run(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert "File too large" in said
    assert "Traceback" not in said
    folder = only_folder(tmp_path / "runs")
    finished = finished_in(folder)
    assert 0 < len(finished) < 12
    assert not is_complete(folder)
    assert (folder / "journal.log").stat().st_size == 12_000
    assert run(command) == 0
    require_intact(folder)
    require_each_once(folder, 12)
    assert finished.items() <= finished_in(folder).items()


def test_a_storage_that_dies_and_comes_back_empty_loses_no_finished_trial(
    tmp_path: Path,
    folders: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The database is damaged half way; what was found lies in the search folder."""
    database = tmp_path / "trials.db"
    command = flat_smoke(folders, "--storage", f"sqlite:///{database}")
    whole, tried = Evaluator.try_out, []

    def try_out(*arguments: Any, **more: Any) -> Outcome:
        tried.append(whole(*arguments, **more))
        if len(tried) == 4:
            database.write_bytes(b"not a database" * 1000)
        return tried[-1]

    with monkeypatch.context() as patched:
        patched.setattr(Evaluator, "try_out", try_out)
        assert run(command) == 2
    said = capsys.readouterr().err
    assert f"sqlite:///{database}: the storage does not answer" in said
    assert said.count("\n") == 1
    folder = only_folder(tmp_path / "runs")
    finished = finished_in(folder)
    assert len(finished) == 4
    database.unlink()
    assert run(command) == 0
    require_intact(folder)
    require_each_once(folder, 6)
    assert finished.items() <= finished_in(folder).items()
