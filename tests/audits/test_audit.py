"""Whole audits of finished runs: ridge on handcrafted columns, and length without any."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from essay_scoring.audits.audit import Audit, audit_run
from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.core.text import words
from essay_scoring.core.worker_pool import WORKERS_VARIABLE
from essay_scoring.data.corpora import load_train
from essay_scoring.records.audit_record import AuditSection
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.audit_report import write_audit_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config

NAMES = [
    "limits",
    "subgroups",
    "feature_functioning",
    "length",
    "calibration",
    "ceilings",
    "prompt_probe",
    "leakage",
    "adversarial",
]


def finished(family: str, space: Workspace, *overrides: str) -> Path:
    config = smoke_config(family, "baselines=[]", *overrides)
    return run_cv(
        open_run(config, space, Progress()), report=lambda folder: None, resume="again"
    ).folder


def section(audit: Audit, name: str) -> AuditSection:
    return next(one for one in audit.record.sections if one.name == name)


@pytest.fixture(scope="module")
def ridge(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> tuple[Path, Audit]:
    """A finished ridge, and its audit with two essays under attack."""
    home = tmp_path_factory.mktemp("audited")
    cache = home / "cache"
    shutil.copytree(warm_cache, cache)
    space = Workspace(home / "runs", cache, home)
    folder = finished("ridge", space)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS_VARIABLE, "1")
        return folder, audit_run(folder, space, Progress(), attack_essays=2)


@pytest.fixture(scope="module")
def length(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace]:
    """A finished run of length alone, on a made corpus that is large enough for groups."""
    home = tmp_path_factory.mktemp("length")
    space = Workspace(home / "runs", home / "cache", home)
    return finished("length", space, "data.corpus.n_essays=200"), space


@pytest.mark.slow
def test_every_section_stands_in_the_record(ridge: tuple[Path, Audit]) -> None:
    audit = ridge[1]
    assert [one.name for one in audit.record.sections] == NAMES == list(audit.seconds)
    assert audit.record.schema_version == 1
    run = audit.record.run
    assert run.folder == ridge[0].name
    assert run.manifest_sha256 == file_sha256(ridge[0] / "manifest.json")
    assert audit.record.settings.attack_essays == 2
    json.dumps(audit.record.model_dump(mode="json"), allow_nan=False)


@pytest.mark.slow
def test_models_give_the_recorded_scores_again(ridge: tuple[Path, Audit]) -> None:
    attacks = section(ridge[1], "adversarial")
    off = [one for one in attacks.figures if one.name.startswith("largest difference")]
    assert off[0].estimate == pytest.approx(0.0, abs=1e-9)
    assert len(attacks.tables[0].rows) == 11
    changes = {row[0]: row[2] for row in attacks.tables[0].rows}
    assert len(set(changes.values())) > 5


@pytest.mark.slow
def test_no_essay_text_is_written(ridge: tuple[Path, Audit], tmp_path: Path) -> None:
    folder, audit = ridge
    write_audit_reports(audit.record, tmp_path)
    said = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    train = load_train(smoke_config("ridge").data.corpus, tmp_path)
    for text in train.essays.texts:
        tokens = words(text)
        for start in range(0, len(tokens) - 4, 4):
            assert " ".join(tokens[start : start + 4]) not in said
    assert not list((folder.parents[0]).rglob("audit*"))


def test_the_same_run_gives_the_same_bytes(length: tuple[Path, Workspace]) -> None:
    one, other = (audit_run(*length, Progress(), attack_essays=20).record for _ in range(2))
    assert one.model_dump_json() == other.model_dump_json()


def test_a_run_of_length_alone_fails_as_such(length: tuple[Path, Workspace]) -> None:
    audit = audit_run(*length, Progress(), attack_essays=40)
    assert section(audit, "length").verdict == "fail"
    assert section(audit, "limits").verdict in ("fail", "undecided")
    assert section(audit, "leakage").verdict == "pass"
    assert "no handcrafted" in section(audit, "feature_functioning").finding
    attacks = section(audit, "adversarial")
    rates = {one.group: one.estimate for one in attacks.figures if "rate" in one.name}
    # It sees neither the order of words nor letters nor the prompt, and counts what is added.
    assert rates["shuffled words"] == rates["essay of another prompt"] == 1.0
    assert rates["gibberish"] == rates["repeated paragraphs"] == 1.0
    assert rates["one typing error"] == 0.0
    off = [one for one in attacks.figures if one.name.startswith("largest difference")]
    assert off[0].estimate == pytest.approx(0.0, abs=1e-9)
    # A made corpus has two raters and three columns of writers.
    assert section(audit, "ceilings").figures
    assert section(audit, "subgroups").figures


def test_without_models_the_attacks_say_so(length: tuple[Path, Workspace], tmp_path: Path) -> None:
    folder = tmp_path / length[0].name
    shutil.copytree(length[0], folder)
    shutil.rmtree(folder / "models" / "fold-0" / "model")
    with pytest.raises(EvidenceError, match="removed"):
        audit_run(folder, length[1], Progress())
    write_manifest(folder)
    attacks = section(audit_run(folder, length[1], Progress()), "adversarial")
    assert (attacks.verdict, attacks.figures) == ("info", ())
    assert "no model of each fold" in attacks.finding


def test_transductive_runs_have_no_score_of_one_essay(space: Workspace) -> None:
    folder = finished("ridge", space, "features.standardise_by_prompt=true")
    attacks = section(audit_run(folder, space, Progress()), "adversarial")
    assert "no essay has a score of its own" in attacks.finding
