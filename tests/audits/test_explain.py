"""`explain` end to end, on finished runs of the smoke corpus."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from essay_scoring.audits.explanation import explain_run
from essay_scoring.cli.main import run
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json, write_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.records.audit_record import ExplainRecord
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.explain_report import write_explain_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.models.made import files_of

SMALL = ("baselines=[]", "evaluation.replicates=100")


def finished(space: Workspace, family: str, *overrides: str) -> Path:
    config = smoke_config(family, *SMALL, *overrides)
    return run_cv(open_run(config, space, Progress()), report=lambda _: None, resume="cv").folder


def explained(space: Workspace, folder: Path, *, refit_seeds: int = 0) -> ExplainRecord:
    return explain_run(folder, space, Progress(), refit_seeds=refit_seeds)


@pytest.mark.parametrize(
    ("family", "overrides"),
    [
        ("xgboost", ("scorer.rounds=8",)),
        ("catboost", ("scorer.rounds=8", "training.ensemble=2")),
        ("ridge", ("features.standardise_by_prompt=true",)),
        ("ridge", ("scheme=stratified_text",)),
    ],
)
def test_saved_models_add_up_to_the_recorded_predictions(
    space: Workspace, family: str, overrides: tuple[str, ...]
) -> None:
    # Every fold's model is loaded and its parts held against the residual file: see shap_values.
    record = explained(space, finished(space, family, *overrides))
    assert record.run.n == 60
    assert record.run.family == family
    assert record.sections[0].name == "shap_by_construct"
    assert len(record.sections[0].figures) == 8


def test_trees_are_fitted_again_under_every_seed(space: Workspace) -> None:
    folder = finished(space, "catboost", "scorer.rounds=3")
    record = explained(space, folder, refit_seeds=2)
    refits = record.sections[1]
    assert "Over 2 seeds" in refits.finding
    assert "gives them again" in refits.tables[0].caption
    assert all(row[2] is not None for row in refits.tables[0].rows)


@pytest.fixture(scope="module")
def ridge(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> tuple[Workspace, Path]:
    """A workspace and a finished run in it, which no test changes."""
    home = tmp_path_factory.mktemp("explained")
    space = Workspace(home / "runs", warm_cache, home)
    return space, finished(space, "ridge")


def test_models_that_no_longer_give_the_predictions_are_no_evidence(
    ridge: tuple[Workspace, Path], tmp_path: Path
) -> None:
    # The models of two folds change places, and the manifest is made to agree.
    space, folder = ridge
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    for name, source in (("fold-0", "fold-1"), ("fold-1", "fold-0")):
        shutil.rmtree(copy / "models" / name)
        shutil.copytree(folder / "models" / source, copy / "models" / name)
    write_manifest(copy)
    with pytest.raises(EvidenceError, match="other predictions"):
        explained(space, copy)


def test_a_run_that_was_changed_is_refused(ridge: tuple[Workspace, Path], tmp_path: Path) -> None:
    space, folder = ridge
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    (copy / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EvidenceError, match="changed since"):
        explained(space, copy)


def test_other_data_are_refused(ridge: tuple[Workspace, Path], tmp_path: Path) -> None:
    space, folder = ridge
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    metrics = read_json(copy / "artifacts" / "cv_metrics.json")
    metrics["data"]["data_sha256"] = "0" * 64
    write_json(copy / "artifacts" / "cv_metrics.json", metrics)
    write_manifest(copy)
    with pytest.raises(EvidenceError, match="data_sha256 is no longer"):
        explained(space, copy)


def test_a_family_without_columns_is_refused_before_any_work(space: Workspace) -> None:
    with pytest.raises(InputError, match="a length scorer reads no columns"):
        explained(space, finished(space, "length"))


def test_classes_are_refused_in_one_line(space: Workspace) -> None:
    folder = finished(space, "xgboost", "scorer.rounds=2", "scorer.mode=ordinal_multiclass_argmax")
    with pytest.raises(InputError, match="log-odds"):
        explained(space, folder)


def test_the_command_writes_beside_the_runs_and_leaves_the_run_alone(
    ridge: tuple[Workspace, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space, folder = ridge
    before = files_of(folder)
    arguments = ["explain", str(folder), "--cache-dir", str(space.cache)]
    assert run([*arguments, "--runs-dir", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    out = tmp_path / "runs" / "audits" / folder.name
    assert sorted(path.name for path in out.iterdir()) == [
        "explain.html",
        "explain.json",
        "explain.svg",
    ]
    record = read_json(out / "explain.json")
    assert record["schema_version"] == 1
    names = [section["name"] for section in record["sections"]]
    assert names == ["shap_by_construct", "drop_column"] + ["failure_card"] * (len(names) - 2)
    assert len(names) > 2
    assert all(section["finding"] in said for section in record["sections"])
    assert files_of(folder) == before
    assert run([*arguments, "--out", str(tmp_path / "short"), "--no-drop-columns"]) == 0
    short = read_json(tmp_path / "short" / "explain.json")
    assert [one for one in record["sections"] if one["name"] != "drop_column"] == short["sections"]


def test_the_same_run_gives_the_same_bytes(ridge: tuple[Workspace, Path], tmp_path: Path) -> None:
    space, folder = ridge
    for name in ("one", "other"):
        write_explain_reports(explained(space, folder, refit_seeds=1), tmp_path / name)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "other")


def test_no_essay_text_is_told(ridge: tuple[Workspace, Path], tmp_path: Path) -> None:
    space, folder = ridge
    record = explained(space, folder, refit_seeds=1)
    paths = write_explain_reports(record, tmp_path)
    config = smoke_config("ridge", *SMALL)
    essays = open_run(config, space, Progress()).prepared.train.essays
    told = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    assert any(essay in told for essay in essays.ids)
    for text in essays.texts:
        words = text.split()
        for start in range(0, len(words) - 4, 5):
            assert " ".join(words[start : start + 5]) not in told


def test_imported_predictions_are_refused(tmp_path: Path) -> None:
    rows = [f"e{i},p{i % 4},{i % 4},{1 + i % 5},{1 + i % 5}" for i in range(40)]
    write_text(tmp_path / "x.csv", "\n".join(["record_id,prompt,fold,y_true,y_pred", *rows]) + "\n")
    runs = ["--runs-dir", str(tmp_path / "runs")]
    assert run(["import-predictions", str(tmp_path / "x.csv"), "--run-name", "x", *runs]) == 0
    (folder,) = (tmp_path / "runs").glob("x-*")
    space = Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path)
    with pytest.raises(InputError, match="imported predictions come without models"):
        explained(space, folder)
    assert run(["explain", str(folder), *runs]) == 2
