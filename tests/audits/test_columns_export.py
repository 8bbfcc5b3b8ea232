"""A run's columns without text: the same predictions from them, whatever computes."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.audits.columns_export import export_columns
from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.records.exported import ExportedColumns
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.features.tiny_encoders import encoder_settings, make_encoder

SCORES = "artifacts/residuals_cv_val_oof.csv"
QUICK = {"rounds": 20, "patience": 5}
MEMBERS = [
    {"scorer": {"family": "svr"}, "columns": "embeddings"},
    {"scorer": {"family": "ridge"}},
    {"scorer": {"family": "xgboost", "min_child_weight": 1.0, **QUICK}},
    {"scorer": {"family": "catboost", **QUICK}},
]
LEAST = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""What keeps a process from the instructions of newer processors, where this one has them."""


def blend_of_all(encoder: EncoderSettings) -> RunConfig:
    """Return a blend of every family that reads columns, on those of an encoder."""
    values = smoke_config("blend", "baselines=[]", "evaluation.replicates=100").model_dump()
    values["scorer"]["members"] = MEMBERS
    values["features"] = {"sets": ["embeddings"], "encoder": encoder.model_dump()}
    return RunConfig.model_validate(values)


def cv(config: RunConfig, space: Workspace) -> Path:
    run = open_run(config, space, Progress())
    return run_cv(run, report=lambda _: None, resume="again").folder


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("export")
    return Workspace(folder / "runs", folder / "cache", folder)


@pytest.fixture(scope="module")
def run(space: Workspace) -> Path:
    encoder = make_encoder(space.data / "encoder")
    return cv(blend_of_all(encoder_settings(encoder, precision="bf16")), space)


@pytest.fixture(scope="module")
def exported(run: Path, space: Workspace) -> Path:
    path = space.data / "columns.parquet"
    export_columns(run, path, space, Progress())
    return path


def test_the_record_says_what_the_table_comes_from(run: Path, exported: Path) -> None:
    record = read_record(ExportedColumns, exported.with_suffix(".json"))
    assert (record.file, record.sha256) == (exported.name, file_sha256(exported))
    assert (record.run.folder, record.n, len(record.columns)) == (run.name, 60, 16)
    assert record.precisions == ("bf16",)
    provenance = read_json(run / "provenance.json")
    assert (
        record.blocks["embeddings"].fingerprint
        == (provenance["features"]["embeddings"]["fingerprint"])
    )


@pytest.mark.parametrize("kind", [".parquet", ".csv"])
def test_a_run_on_the_table_alone_predicts_the_same(
    run: Path, exported: Path, space: Workspace, kind: str
) -> None:
    path = exported.with_suffix(kind)
    export_columns(run, path, space, Progress())
    config = load_run_config(path.with_suffix(".config.json"))
    assert config.features.sets == ("imported",)
    # Nothing is read from texts: another cache has no encoder and no columns.
    bare = Workspace(space.runs, space.data / f"bare{kind}", space.data)
    again = cv(config, bare)
    assert again.name != run.name
    assert (again / SCORES).read_bytes() == (run / SCORES).read_bytes()
    assert not bare.features.exists()


def test_no_text_is_in_the_table(run: Path, exported: Path, space: Workspace) -> None:
    path = exported.with_suffix(".csv")
    export_columns(run, path, space, Progress())
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    columns = ["record_id", "prompt", "fold", "y_true"]
    assert list(rows[0]) == [*columns, *(f"emb_{at:03d}" for at in range(16))]
    told = [{name: row[name] for name in columns} for row in rows]
    predicted = list(csv.DictReader((run / SCORES).read_text("utf-8").splitlines()))
    assert sorted(told, key=str) == sorted(
        [{name: row[name] for name in columns} for row in predicted], key=str
    )
    assert all(np.isfinite(float(cell)) for row in rows for cell in [*row.values()][2:])


def elsewhere(space: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as another processor would, with nothing of this one's cache."""
    main = "from essay_scoring.cli.main import program; program()"
    folders = ["--cache-dir", str(space.data / "other"), "--data-dir", str(space.data)]
    command = [sys.executable, "-c", main, *words, *folders]
    environment = {**os.environ, **LEAST}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_so_it_does_under_another_arithmetic(run: Path, exported: Path, space: Workspace) -> None:
    config, runs = exported.with_suffix(".config.json"), space.data / "elsewhere"
    done = elsewhere(space, "cv", str(config), "--runs-dir", str(runs))
    assert done.returncode == 0, done.stderr
    [again] = runs.glob("smoke-blend-*")
    assert (again / SCORES).read_bytes() == (run / SCORES).read_bytes()
    [fit] = again.glob("models/fold-0/job.json")
    assert "OPENBLAS_CORETYPE=Haswell" in fit.read_text("utf-8")
    # The columns themselves are others in other numbers, and so are predictions from texts.
    encoder = load_run_config(run / "config.json").features.encoder
    fp32 = encoder.model_copy(update={"precision": "fp32"})
    assert (cv(blend_of_all(fp32), space) / SCORES).read_bytes() != (run / SCORES).read_bytes()


@pytest.mark.slow
def test_what_another_processor_computes_anew_is_not_exported_as_the_runs(
    run: Path, space: Workspace
) -> None:
    done = elsewhere(space, "export", "columns", str(run), "-o", str(space.data / "new.csv"))
    assert done.returncode == EvidenceError.exit_code, done.stderr
    assert "today's columns are not those that its models were fitted on" in done.stderr
    assert not (space.data / "new.csv").exists()


@pytest.mark.parametrize(
    ("family", "name", "message"),
    [
        ("length", "columns.csv", "a length scorer reads no columns"),
        ("length", "columns.txt", "as Parquet or CSV"),
    ],
)
def test_what_has_no_columns_is_refused(
    space: Workspace, tmp_path: Path, family: str, name: str, message: str
) -> None:
    run = cv(smoke_config(family, "baselines=[]", "evaluation.replicates=100"), space)
    with pytest.raises(InputError, match=message):
        export_columns(run, tmp_path / name, space, Progress())
