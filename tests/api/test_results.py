"""Runs and studies from Python: what is loaded is what their folders say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring import LoadedStudy, load_run, load_study, run_study
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.progress import ProgressEvent
from tests.conftest import PATIENCE, ROOT
from tests.studies.made import arm, gates, study_file


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def told() -> list[ProgressEvent]:
    return []


@pytest.fixture(scope="module")
def study(home: Path, told: list[ProgressEvent]) -> LoadedStudy:
    path = study_file(home, arm("worse", gates("hard")), arm("fine", gates("easy")))
    return run_study(
        path, runs=home / "runs", cache=home / "cache", data=home, progress=told.append
    )


def test_a_study_runs_from_python_to_its_decision(
    study: LoadedStudy, home: Path, told: list[ProgressEvent]
) -> None:
    assert (study.decision, study.record.decided_arm) == ("proceed", "fine")
    assert study.reason == study.record.reason
    assert study.arms.select(["arm", "ending"]).to_pylist() == [
        {"arm": "worse", "ending": "fail"},
        {"arm": "fine", "ending": "pass"},
    ]
    assert told
    assert (study.folder / "decision.md").is_file()
    again = load_study(study.folder)
    assert again.record == study.record


def test_its_tables_hold_what_the_record_holds(study: LoadedStudy) -> None:
    assert study.runs.column("arm").to_pylist() == ["reference", "worse", "fine"]
    checks = study.checks.to_pylist()
    assert [(row["arm"], row["metric"], row["verdict"]) for row in checks] == [
        ("worse", "mean_qwk", "fail"),
        ("fine", "mean_qwk", "pass"),
    ]
    [under] = study.record.comparisons
    rows = study.comparison.to_pylist()
    assert [row["estimate"] for row in rows] == [
        delta.estimate for one in under.arms for delta in one.rows
    ]
    page = study._repr_html_()
    assert "proceed, for fine" in page
    assert page.count("<table>") == 2


def test_a_run_is_its_predictions_and_figures(study: LoadedStudy) -> None:
    run = load_run(study.folder.parents[1] / study.record.runs[0].run)
    rows = run.record.predictions
    assert run.predictions.column("score").to_pylist() == rows.final.tolist()
    assert run.predictions.column_names[:6] == ["id", "prompt", "fold", "true", "raw", "score"]
    assert "text" not in run.predictions.column_names
    figures = {row["figure"]: row for row in run.figures.to_pylist()}
    assert figures["qwk"]["estimate"] == study.runs.column("qwk").to_pylist()[0]
    assert set(figures) > {"mean_qwk", "mae", "worst_prompt_qwk"}
    assert len(run.folds) == len(run.record.metrics.summary.folds)
    assert sorted(run.prompts.column("prompt").to_pylist()) == sorted(set(rows.prompts))
    page = run._repr_html_()
    assert "the length scorer" in page
    assert page.count("<tr>") == 1 + len(run.record.metrics.summary.overall)


def test_tables_go_to_pandas_where_it_is_there(study: LoadedStudy) -> None:
    pandas = pytest.importorskip("pandas")
    frame = study.checks.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["arm"].tolist() == ["worse", "fine"]


def test_a_name_that_would_be_markup_is_text(study: LoadedStudy) -> None:
    hostile = LoadedStudy(
        study.record.model_copy(update={"question": "<script>alert(1)</script>"}), study.folder
    )
    assert "<script>" not in hostile._repr_html_()


def test_what_was_changed_or_is_no_study_is_refused(study: LoadedStudy, tmp_path: Path) -> None:
    copy = shutil.copytree(study.folder, tmp_path / "copy")
    (copy / "study.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EvidenceError):
        load_study(copy)
    with pytest.raises(InputError, match="a folder of runs, not a run"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="the folder of a study, not a run"):
        load_run(study.folder)
    with pytest.raises(InputError, match=r"study\.toml"):
        run_study(tmp_path / "study.toml")


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, json, essay_scoring\n"
        "first = sorted({name.split('.')[0] for name in sys.modules})\n"
        "assert {*dir(essay_scoring)} == {*essay_scoring.__all__, '__version__'}\n"
        "for name in essay_scoring.__all__: getattr(essay_scoring, name)\n"
        "then = sorted({name.split('.')[0] for name in sys.modules})\n"
        "print(json.dumps([first, then]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    first, then = (set(names) for names in json.loads(done.stdout))
    assert not first & {"numpy", "pandas", "pyarrow", "pydantic", "sklearn", "torch", "scipy"}
    # scikit-learn itself imports pandas where it is installed.
    assert not then & {"torch", "spacy", "optuna", "matplotlib", "xgboost"}
