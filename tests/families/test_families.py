"""Every family of the union, end to end: a new one fails here until its smoke config exists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.models.registry import ScorerContext, load_scorer
from essay_scoring.models.scorer_settings import ScorerSettings
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import SMOKE, smoke_config

FAMILIES = [
    member.model_fields["family"].default for member in get_args(get_args(ScorerSettings)[0])
]
EXECUTABLE = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".npy", ".npz", ".py"}


def test_every_family_has_a_smoke_config_and_no_other_exists() -> None:
    assert sorted(path.stem for path in SMOKE.glob("*.toml")) == sorted(FAMILIES)


@pytest.fixture(scope="module", params=FAMILIES)
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, warm_cache: Path
) -> tuple[str, Path, Workspace]:
    folder = tmp_path_factory.mktemp(request.param)
    space = Workspace(folder / "runs", warm_cache, folder)
    config = smoke_config(request.param)
    run = run_cv(
        open_run(config, space, Progress()), report=write_run_reports, resume="again"
    ).folder
    return request.param, run, space


def test_the_run_folder_is_whole(finished: tuple[str, Path, Workspace]) -> None:
    family, folder, _ = finished
    require_intact(folder)
    for name in (
        "config.json",
        "provenance.json",
        "status.json",
        "progress.json",
        "run.log",
        "artifacts/cv_metrics.json",
        "artifacts/residuals_cv_val_oof.csv",
        "artifacts/residuals_cv_val_oof.jsonl",
        "views/cv_report.md",
        "reports/residual_diagnostics.md",
        "views/report.html",
    ):
        assert (folder / name).stat().st_size > 0, name
    metrics = read_json(folder / "artifacts" / "cv_metrics.json")
    assert metrics["family"] == family
    assert metrics["data"]["n"] == 60
    config = smoke_config(family)
    expected = config.scorer.model_dump(mode="json") | config.training.model_dump(mode="json")
    assert {"family": family, **metrics["hyperparameters"]} == expected
    assert set(metrics["baselines"]) == {"mean", "length", "ridge"}


def test_nothing_in_the_folder_can_execute_and_no_essay_is_in_it(
    finished: tuple[str, Path, Workspace],
) -> None:
    family, folder, space = finished
    essays = open_run(smoke_config(family), space, Progress()).prepared.train.essays
    passages = [text[100:160] for text in essays.texts[:20]]
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.suffix not in EXECUTABLE, path
            content = path.read_bytes().decode("utf-8", "replace")
            assert not any(passage in content for passage in passages), path


def test_saved_models_predict_what_the_run_says(finished: tuple[str, Path, Workspace]) -> None:
    family, folder, space = finished
    run = open_run(smoke_config(family), space, Progress())
    # In the company of the whole corpus, as the run had them: rounding depends on the batch.
    run.columns.warm(run.prepared.train.essays)
    scales, columns = run.prepared.train.scales, run.columns
    context = ScorerContext(scales, columns, run.config.seed, 1, space.cache)
    raw_of = dict(
        zip(read_run(folder).predictions.ids, read_run(folder).predictions.raw, strict=True)
    )
    for fold in run.design.folds:
        essays = run.prepared.train.essays.take(run.design.held_out_rows([fold]))
        scorer = load_scorer(folder / "models" / f"fold-{fold}" / "model", context)
        expected = np.array([raw_of[essay] for essay in essays.ids])
        np.testing.assert_allclose(scorer.predict(essays), expected, rtol=1e-6)


def test_a_rerun_from_the_saved_json_is_the_same_run(
    finished: tuple[str, Path, Workspace], tmp_path: Path
) -> None:
    from essay_scoring.records.config import load_run_config

    _, folder, space = finished
    config = load_run_config(folder / "config.json")
    elsewhere = Workspace(tmp_path / "runs", space.cache, space.data)
    again = run_cv(
        open_run(config, elsewhere, Progress()), report=lambda _: None, resume="again"
    ).folder
    assert again.name == folder.name
    name = "artifacts/residuals_cv_val_oof.csv"
    assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_fits_never_saw_the_fold_they_predict(finished: tuple[str, Path, Workspace]) -> None:
    _, folder, _ = finished
    for path in folder.glob("models/fold-*/job.json"):
        job = json.loads(path.read_text(encoding="utf-8"))
        assert job["n_fit"] + job["n_dev"] + len(job["ids"]) == 60
        assert min(job["n_fit"], job["n_dev"], len(job["ids"])) > 0
