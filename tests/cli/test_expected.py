"""Every kind of file and folder, given to every command that takes another kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import typer.main
from typer.core import TyperArgument, TyperGroup

from essay_scoring.cli.main import app
from essay_scoring.cli.main import run as command
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json, write_text
from essay_scoring.core.record import write_record
from essay_scoring.records.kinds import PathKind, kind_of
from essay_scoring.records.locked_test import Opening
from essay_scoring.records.manifest import write_manifest
from tests.conftest import ROOT
from tests.reports.made_card import finished_run, study_of, trained_model, traits_of
from tests.reports.test_search_report import SEARCH, folder_of
from tests.runs.test_removal import OPENING

CONFIGS = ROOT / "configs"
ROOT_COMMAND = typer.main.get_command(app)
"""Built once: there are hundreds of lines to try."""


@dataclass(frozen=True)
class Slot:
    """A place on a command line for a path, the kinds that it takes, and the words around it."""

    command: str
    takes: tuple[PathKind, ...]
    words: Callable[[str, dict[PathKind, Path]], list[str]]

    def __str__(self) -> str:
        return self.command


def alone(command: str, *takes: PathKind, rest: str = "") -> Slot:
    """Return the slot of a command's first argument."""
    return Slot(command, takes, lambda path, _: [*command.split(), path, *rest.split()])


def after(command: str, first: PathKind, words: str, *takes: PathKind) -> Slot:
    """Return a slot behind a first argument of another kind, and behind options."""
    return Slot(
        f"{command} {words}",
        takes,
        lambda path, given: [command, str(given[first]), *words.split(), path],
    )


WORK: tuple[PathKind, ...] = ("run", "study-folder", "traits-folder", "search-folder")
SLOTS = (
    alone("validate", "config"),
    alone("prepare-dataset", "config", "data"),
    alone("make-splits", "prepared", rest="--out s.json"),
    alone("init", "table", rest="--yes"),
    alone("cv", "config"),
    after("cv", "config", "--splits-path", "splits", "table"),
    alone("transformer-finetune", "config"),
    after("transformer-finetune", "config", "--splits-path", "splits", "table"),
    alone("import-predictions", "table", rest="--run-name theirs"),
    alone("xgb-sweep", "config"),
    after("xgb-sweep", "config", "--grid", "grid"),
    alone("optuna-sweep", "search"),
    alone("register", "plan", rest="--reference r"),
    after("register", "plan", "--reference", "run"),
    alone("judge", "plan", rest="--reference r --candidate c"),
    after("judge", "plan", "--candidate c --reference", "run"),
    after("judge", "plan", "--reference r --candidate", "run"),
    alone("compare-cv-runs", "run", rest="c --plan p"),
    after("compare-cv-runs", "run", "--plan p", "run"),
    after("compare-cv-runs", "run", "c --plan", "plan"),
    alone("power", "plan", rest="--reference r"),
    after("power", "plan", "--reference", "run"),
    after("power", "plan", "--reference r --like", "run"),
    alone("study", "study"),
    alone("tables", "study-folder", "record", rest="--out t"),
    alone("final-test", "run", rest="--decision d"),
    after("final-test", "run", "--decision", "study-folder"),
    alone("train", "config"),
    alone("score", "model", rest="essays --out s.csv"),
    after("score", "model", "--out s.csv", "table"),
    alone("card", "model", "run"),
    after("card", "run", "--study", "study-folder", "record"),
    alone("launch", "config", "study", "search", rest="--profile p"),
    after("launch", "config", "--profile", "profile"),
    after("launch", "config", "--profile p --plan", "plan"),
    alone("report", *WORK, "runs-folder"),
    alone("status", *WORK, "model", "final-test"),
    alone("audit", "run"),
    alone("explain", "run"),
    alone("export rsmtool", "run", rest="--out o.csv"),
    alone("export mlflow", "run", rest="--uri u"),
    alone("export tensorboard", "run", rest="--out o"),
    alone("export adapter", "run", rest="--fold 0 --out o"),
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[PathKind, Path]:
    """One path of every kind."""
    root = tmp_path_factory.mktemp("kinds")
    runs = root / "runs"
    run = finished_run(runs)
    shutil.copy(CONFIGS / "smoke" / "ridge.toml", root / "config.toml")
    record = study_of(runs)
    write_manifest(record.parent)
    write_text(root / "essays.csv", "id,text,score\n")
    write_text(root / "grid.toml", '[grid]\n"scorer.alphas" = [[1.0]]\n')
    write_text(root / "data.toml", '[data.corpus]\nkind = "synthetic"\n')
    write_json(root / "splits.json", {"splits_sha256": "", "n_splits": 5})
    write_json(root / "prepared" / "prepared.json", {})
    write_record(root / "r-1-final-1" / "opening.json", Opening.model_validate(OPENING))
    return {
        "config": root / "config.toml",
        "data": root / "data.toml",
        "study": CONFIGS / "studies" / "quickstart.toml",
        "plan": CONFIGS / "gates" / "prompt_holdout_primary.toml",
        "search": CONFIGS / "search" / "smoke.toml",
        "grid": root / "grid.toml",
        "profile": next((CONFIGS / "profiles").glob("*.toml")),
        "table": root / "essays.csv",
        "splits": root / "splits.json",
        "record": Path(shutil.copy(record, root / "study.json")),
        "run": run,
        "final-test": root / "r-1-final-1",
        "study-folder": record.parent,
        "traits-folder": traits_of(runs, "made-1"),
        "search-folder": folder_of(root / "searches", SEARCH),
        "model": trained_model(root / "models", run),
        "prepared": root / "prepared",
        "runs-folder": runs,
    }


def test_a_path_is_told_for_what_it_is(given: dict[PathKind, Path]) -> None:
    assert set(given) == set(get_args(PathKind))
    assert {kind: kind_of(path) for kind, path in given.items()} == {kind: kind for kind in given}


@pytest.mark.parametrize("slot", SLOTS, ids=str)
def test_another_kind_is_named_with_what_takes_it(
    slot: Slot,
    given: dict[PathKind, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, path in given.items():
        if kind not in slot.takes:
            with pytest.raises(InputError) as refused:
                ROOT_COMMAND.main(slot.words(str(path), given), standalone_mode=False)
            line = refused.value.line()
            assert line.startswith(f"{path}: this is "), line
            assert " not a " in line or " not the " in line
            assert ". To mend: " in line
    assert list(tmp_path.iterdir()) == []


def test_every_command_that_takes_a_path_is_tried() -> None:
    tried = {slot.words("", dict.fromkeys(get_args(PathKind), Path()))[0] for slot in SLOTS}
    assert isinstance(ROOT_COMMAND, TyperGroup)
    takes_path = {
        name
        for name, one in ROOT_COMMAND.commands.items()
        for parameter in one.params
        if isinstance(parameter, TyperArgument) and parameter.type_descriptor.is_path
    }
    assert takes_path <= tried


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("cv", "study", "this is a study, not the config of a run. To mend: essay-scoring study "),
        (
            "cv",
            "search",
            "this is a search, not the config of a run. To mend: essay-scoring optuna",
        ),
        ("cv", "table", "this is a table, not the config of a run. To mend: essay-scoring init "),
        ("study", "search", "this is a search, not a study. To mend: essay-scoring optuna-sweep "),
        ("study", "config", "this is the config of a run, not a study. To mend: essay-scoring cv "),
        ("score", "run", "this is a run, not a model. To mend: train one: essay-scoring train "),
        ("score", "table", "this is a table, not a model. To mend: name the model first: "),
        ("audit", "model", "this is a model, not a run. To mend: name the run that it was trained"),
    ],
)
def test_the_hint_fits_the_command(
    words: str,
    kind: PathKind,
    said: str,
    given: dict[PathKind, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command([words, str(given[kind]), *(["x"] if words == "score" else [])]) == 2
    assert said in capsys.readouterr().err


def test_what_is_not_plain_is_left_to_the_command(tmp_path: Path) -> None:
    write_text(tmp_path / "odd.toml", "a = [")
    write_text(tmp_path / "odd.json", "[]")
    write_json(tmp_path / "judged.json", {"checks": [], "candidates": [], "study": "s"})
    (tmp_path / "empty").mkdir()
    for name in ("odd.toml", "odd.json", "judged.json", "empty", "nowhere"):
        assert kind_of(tmp_path / name) is None
    assert kind_of(Path("preset:asap/study")) == "study"
    assert kind_of(Path("preset:none")) is None


def test_unfinished_work_is_told_by_its_config(tmp_path: Path) -> None:
    for name, config in {
        "run": {"scorer": {}},
        "study-folder": {"study": {"candidates": []}, "configs": {}},
    }.items():
        write_json(tmp_path / name / "status.json", {})
        write_json(tmp_path / name / "config.json", config)
        assert kind_of(tmp_path / name) == name
