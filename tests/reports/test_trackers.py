"""Runs as MLflow and TensorBoard show them. Where one is not installed, its tests are skipped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.cli.main import run
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import write_text
from essay_scoring.records.manifest import require_intact, write_manifest
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.reports.fold_scalars import FoldScalars, Scalar, folds_of, run_times
from essay_scoring.reports.mlflow_export import IDENTITY, export_mlflow, run_metrics, run_params
from essay_scoring.reports.tensorboard_export import export_tensorboard
from tests.reports.exported import finished_run
from tests.statistics.made import made_predictions

TRACKERS_ABSENT = "is not installed: pip install 'essay-scoring[tracking,tensorboard]'"


def fold(metrics: dict[str, Any], number: int = 0) -> FoldScalars:
    return next(one for one in folds_of(CvMetrics.model_validate(metrics)) if one.fold == number)


def test_a_fold_has_its_curves_from_step_1_and_its_figures_at_the_step_kept(tmp_path: Path) -> None:
    metrics = finished_run(tmp_path / "run")
    first = fold(metrics)
    assert first.name == "fold-0"
    by_name: dict[str, list[Scalar]] = {}
    for scalar in first.scalars:
        by_name.setdefault(scalar.name, []).append(scalar)
    assert [(one.step, one.value) for one in by_name["loss/dev"]] == [(1, 0.8), (2, 0.6), (3, 0.7)]
    assert [one.value for one in by_name["training/prompt_accuracy"]] == [0.5, 0.3, 0.2]
    [qwk] = by_name["held_out/qwk"]
    assert qwk == Scalar("held_out/qwk", 2, metrics["summary"]["folds"][0]["qwk"])
    assert by_name["fit/n_fit"] == [Scalar("fit/n_fit", 2, 80)]


def test_an_imported_run_has_folds_without_fits(tmp_path: Path) -> None:
    metrics = finished_run(tmp_path / "run")
    without = fold(metrics | {"fits": []})
    assert {scalar.step for scalar in without.scalars} == {0}
    assert not [scalar for scalar in without.scalars if not scalar.name.startswith("held_out/")]


def test_times_are_those_of_the_first_start_and_of_the_end(tmp_path: Path) -> None:
    finished_run(tmp_path / "run")
    # 2 January 2026 is 20,455 days after 1 January 1970; 03:04:05 is 11,045 seconds into it.
    started, ended = run_times(tmp_path / "run")
    assert started == pytest.approx(20_455 * 86_400 + 11_045.678901)
    assert ended == 20_455 * 86_400 + 4 * 3600


def test_parameters_are_dotted_and_names_from_a_corpus_make_no_keys() -> None:
    config = {
        "name": "x",
        "scorer": {"family": "ridge", "lora": {"rank": 4}, "empty": {}},
        "sets": ["a", "b"],
        "none": None,
        "scales": {"by_prompt": {"../etc: a 'prompt'": {"low": 1.0}}},
        "long": "y" * 9000,
    }
    assert run_params(config) == {
        "name": "x",
        "scorer.family": "ridge",
        "scorer.lora.rank": "4",
        "scorer.empty": "{}",
        "sets": '["a", "b"]',
        "none": "null",
        "scales.by_prompt": '{"../etc: a \'prompt\'": {"low": 1.0}}',
        "long": "y" * 6000,
    }


def test_figures_without_a_value_are_left_out(tmp_path: Path) -> None:
    metrics = finished_run(tmp_path / "run")
    metrics["summary"]["overall"]["pearson"] |= {"estimate": None, "low": None, "high": None}
    metrics["summary"]["worst_prompt"] = None
    found = run_metrics(CvMetrics.model_validate(metrics))
    overall, ridge = metrics["summary"]["overall"], metrics["baselines"]["ridge"]
    assert found["overall.qwk"] == overall["qwk"]["estimate"]
    assert found["overall.qwk.low"] == overall["qwk"]["low"]
    assert found["baseline.ridge.mean_over_folds.qwk"] == ridge["mean_over_folds"]["qwk"]["mean"]
    assert not {"overall.pearson", "overall.pearson.low", "worst_prompt.qwk"} & found.keys()


@pytest.mark.parametrize(
    ("package", "extra", "option"),
    [("mlflow", "tracking", "--uri"), ("tensorboard", "tensorboard", "--out")],
)
def test_a_missing_package_names_its_install_line(
    package: str,
    extra: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finished_run(tmp_path / "run")
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert run(["export", package, str(tmp_path / "run"), option, str(tmp_path / "out")]) == 2
    assert f"pip install 'essay-scoring[{extra}]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_was_changed_goes_nowhere(tmp_path: Path) -> None:
    finished_run(tmp_path / "run")
    write_text(tmp_path / "run" / "config.json", "{}")
    with pytest.raises(EvidenceError, match="changed"):
        export_mlflow(tmp_path / "run", f"sqlite:///{tmp_path / 'm.db'}")
    with pytest.raises(EvidenceError, match="changed"):
        export_tensorboard(tmp_path / "run", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_event_files_hold_every_scalar(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason=f"tensorboard {TRACKERS_ABSENT}")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    metrics = finished_run(tmp_path / "run-1")
    folders = export_tensorboard(tmp_path / "run-1", tmp_path / "out")
    assert folders == [tmp_path / "out" / "run-1" / f"fold-{k}" for k in range(4)]
    again = export_tensorboard(tmp_path / "run-1", tmp_path / "out")
    assert again == folders
    for number, folder in enumerate(folders):
        assert len(list(folder.iterdir())) == 1
        events = EventAccumulator(str(folder)).Reload()
        found = {
            (tag, event.step): float(make_ndarray(event.tensor_proto))
            for tag in events.Tags()["tensors"]
            for event in events.Tensors(tag)
        }
        expected = {(one.name, one.step): one.value for one in fold(metrics, number).scalars}
        assert found == pytest.approx(expected, rel=1e-6)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run-1"]
    require_intact(tmp_path / "run-1")
    with pytest.raises(InputError, match="inside the finished run"):
        export_tensorboard(tmp_path / "run-1", tmp_path / "run-1" / "tb")


@pytest.fixture
def mlflow_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a database of the test's own; its artifacts lie below the test's folder."""
    mlflow = pytest.importorskip("mlflow", reason=f"mlflow {TRACKERS_ABSENT}")
    monkeypatch.chdir(tmp_path)
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'm.db'}")


@pytest.mark.filterwarnings("ignore")
def test_a_run_stands_in_mlflow_once_with_its_folds(
    tmp_path: Path, mlflow_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = finished_run(tmp_path / "run-1", scorer={"family": "xgboost"})
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    first = export_mlflow(tmp_path / "run-1", uri)
    assert not first.stood
    capsys.readouterr()
    assert run(["export", "mlflow", str(tmp_path / "run-1"), "--uri", uri]) == 0
    assert capsys.readouterr().out == f"mlflow run: {first.run_id} (stood there)\n"
    experiment = mlflow_client.get_experiment_by_name("essay-scoring").experiment_id
    runs = mlflow_client.search_runs([experiment])
    assert sorted(one.info.run_name for one in runs) == [
        "fold-0",
        "fold-1",
        "fold-2",
        "fold-3",
        "run-1",
    ]
    [parent] = [one for one in runs if one.info.run_name == "run-1"]
    assert parent.data.params["scorer.family"] == "xgboost"
    assert parent.data.metrics == pytest.approx(run_metrics(CvMetrics.model_validate(metrics)))
    assert parent.data.tags["mlflow.source.git.commit"] == "c" * 40
    assert parent.info.end_time - parent.info.start_time == 3_354_321
    children = [one for one in runs if one.info.run_name.startswith("fold-")]
    assert {one.data.tags["mlflow.parentRunId"] for one in children} == {parent.info.run_id}
    [child] = [one for one in children if one.data.params["fold"] == "1"]
    history = mlflow_client.get_metric_history(child.info.run_id, "loss/dev")
    assert [(one.step, one.value) for one in history] == [(1, 0.8), (2, 0.6), (3, 0.7)]
    assert child.data.metrics["held_out/qwk"] == metrics["summary"]["folds"][1]["qwk"]
    kept = {path.path for path in mlflow_client.list_artifacts(parent.info.run_id)}
    folders = {"artifacts", "reports", "views"}
    assert kept == {"config.json", "manifest.json", "provenance.json", *folders}


@pytest.mark.filterwarnings("ignore")
def test_an_export_that_was_cut_short_is_made_again(
    tmp_path: Path, mlflow_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    finished_run(tmp_path / "run-1", made_predictions(60, n_prompts=4, n_folds=2))
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    with monkeypatch.context() as broken:

        def stop(*_: Any) -> None:
            raise OSError("no space left")

        broken.setattr(MlflowClient, "log_artifact", stop)
        with pytest.raises(OSError, match="no space"):
            export_mlflow(tmp_path / "run-1", uri)
    assert export_mlflow(tmp_path / "run-1", uri).stood is False
    experiment = mlflow_client.get_experiment_by_name("essay-scoring").experiment_id
    runs = mlflow_client.search_runs([experiment])
    assert sorted(one.info.run_name for one in runs) == ["fold-0", "fold-1", "run-1"]
    assert {one.info.status for one in runs} == {"FINISHED"}
    [parent] = [one for one in runs if IDENTITY in one.data.tags]
    assert parent.info.run_name == "run-1"


@pytest.mark.filterwarnings("ignore")
def test_a_run_made_again_with_other_figures_is_another_run(
    tmp_path: Path, mlflow_client: Any
) -> None:
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    finished_run(tmp_path / "run-1", made_predictions(60, n_prompts=4, n_folds=2))
    first = export_mlflow(tmp_path / "run-1", uri)
    metrics = tmp_path / "run-1" / "artifacts" / "cv_metrics.json"
    metrics.write_text(metrics.read_text("utf-8") + "\n", "utf-8")
    write_manifest(tmp_path / "run-1")
    second = export_mlflow(tmp_path / "run-1", uri)
    assert second.run_id != first.run_id
    # Port 9 of this machine answers nobody; the second retry comes after two seconds.
    for nowhere in ("nonsense://x", "http://127.0.0.1:9"):
        with pytest.raises(InputError, match="MLflow refuses"):
            export_mlflow(tmp_path / "run-1", nowhere)
