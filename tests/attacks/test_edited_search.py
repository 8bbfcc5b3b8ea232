"""A finished search whose files were edited is refused wherever it would be used again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import write_text
from essay_scoring.judging.tuning import tuning_round
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.search_settings import load_search
from tests.conftest import ROOT
from tests.search.made import SMOKE_SEARCH

RIDGE = ROOT / "configs" / "smoke" / "ridge.toml"
Command = Callable[[Path], list[str]]


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> dict[str, Command]:
    """Return both commands that search, given the folder of runs."""
    grid = tmp_path_factory.mktemp("grid") / "grid.toml"
    write_text(grid, '[grid]\n"scorer.alphas" = [[1.0], [30.0]]\n')

    def folders(runs: Path) -> list[str]:
        return ["--runs-dir", str(runs), "--cache-dir", str(warm_cache)]

    def optuna_sweep(runs: Path) -> list[str]:
        return ["optuna-sweep", str(SMOKE_SEARCH), "--flat", "--set", "trials=2", *folders(runs)]

    def xgb_sweep(runs: Path) -> list[str]:
        asked = ["--grid", str(grid), "--objective", "mean_qwk"]
        return ["xgb-sweep", str(RIDGE), *asked, *folders(runs)]

    return {"optuna-sweep": optuna_sweep, "xgb-sweep": xgb_sweep}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, commands: dict[str, Command]) -> Path:
    """Return a folder of runs that holds one finished search and one finished grid."""
    runs = tmp_path_factory.mktemp("finished") / "runs"
    for command in commands.values():
        assert run(command(runs)) == 0
    return runs


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished runs."""
    return Path(shutil.copytree(finished, tmp_path / "runs"))


def edit(path: Path) -> None:
    """Change one number of a JSON file, leaving it a file that can be read."""
    text = path.read_text(encoding="utf-8")
    values = json.loads(text)
    if "seed" in values:
        values["seed"] += 1
    else:
        values["name"] += "x"
    write_text(path, json.dumps(values, indent=2) + "\n")
    assert path.read_text(encoding="utf-8") != text


def folder_with(runs: Path, name: str) -> Path:
    """Return the search folder that holds an artifact."""
    [path] = (runs / "searches").glob(f"*/artifacts/{name}")
    return path.parents[1]


@pytest.mark.parametrize(
    ("command", "artifact", "edited"),
    [
        ("optuna-sweep", "search.json", "artifacts/search.json"),
        ("optuna-sweep", "search.json", "artifacts/selected_params.json"),
        ("xgb-sweep", "sweep.json", "artifacts/sweep.json"),
        ("xgb-sweep", "sweep.json", "artifacts/selected_params.json"),
    ],
)
def test_the_command_refuses_an_edited_search(
    runs: Path,
    commands: dict[str, Command],
    capsys: pytest.CaptureFixture[str],
    command: str,
    artifact: str,
    edited: str,
) -> None:
    arguments = commands[command](runs)
    assert run(arguments) == 0
    folder = folder_with(runs, artifact)
    edit(folder / edited)
    capsys.readouterr()
    assert run(arguments) == 4
    output = capsys.readouterr()
    assert output.out == ""
    assert f"{folder / edited}: changed since the run ended" in output.err
    assert output.err.count("\n") == 1


def test_a_search_with_a_trial_removed_is_refused(
    runs: Path, commands: dict[str, Command], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(runs, "search.json")
    next(iter(folder.glob("trials/all/*.json"))).unlink()
    assert run(commands["optuna-sweep"](runs)) == 4
    assert "1 file(s) added or removed" in capsys.readouterr().err


@pytest.mark.parametrize("artifact", ["search.json", "selected_params.json"])
def test_the_tuning_of_a_study_refuses_an_edited_search(runs: Path, artifact: str) -> None:
    folder = folder_with(runs, "search.json")
    search = load_search(SMOKE_SEARCH, ['mode="flat"', "trials=2"])
    assert tuning_round("a", search, lambda _: folder).selected is not None
    edit(folder / "artifacts" / artifact)
    with pytest.raises(EvidenceError) as refused:
        tuning_round("a", search, lambda _: folder)
    assert refused.value.exit_code == 4
    assert is_complete(folder)
