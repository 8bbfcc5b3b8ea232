"""What a model card is made from: a run or model folder, its audits, its study; nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.record import AnyRecord, read_record
from essay_scoring.records.audit_record import AuditRecord, ExplainRecord, read_audit
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.manifest import MANIFEST, require_intact
from essay_scoring.records.model_records import MODEL, ModelProvenance, ModelRecord
from essay_scoring.records.run_records import CvMetrics, Provenance, Status
from essay_scoring.records.study_results import StudyRecord, read_study, verified_record
from essay_scoring.scoring.conformal import PredictionInterval
from essay_scoring.scoring.flags import FlagFacts


@dataclass(frozen=True)
class CardSources:
    """Where a card's other evidence lies; None looks under `runs`/audits, a study is optional."""

    runs: Path
    audit: Path | None = None
    explain: Path | None = None
    study: Path | None = None


@dataclass(frozen=True, eq=False)
class CardEvidence:
    """All that a card may say; None for what is not there.

    `sources` are the files it was made from, each with its sha256.
    """

    name: str
    run: str
    config: dict[str, Any]
    provenance: Provenance | None
    record: RunRecord
    status: Status | None
    model: ModelRecord | None
    interval: PredictionInterval | None
    flags: FlagFacts | None
    audit: AuditRecord | None
    explain: ExplainRecord | None
    study: StudyRecord | None
    sources: Sequence[tuple[str, str]]

    @property
    def metrics(self) -> CvMetrics:
        """The figures of the run."""
        return self.record.metrics


def read_evidence(folder: Path, beside: CardSources) -> CardEvidence:
    """Return the evidence on a model folder or a run folder.

    Raises InputError for another folder or a file of another run, EvidenceError for one that is
    not complete or was changed since it was.
    """
    require_intact(folder)
    trained = folder if (folder / MODEL).is_file() else None
    run = folder if trained is None else _run_of(trained, beside.runs)
    record = read_run(run)
    metrics = record.metrics
    audit = _beside(beside.audit, beside.runs, run, "audit.json")
    explain = _beside(beside.explain, beside.runs, run, "explain.json")
    study = None if beside.study is None else verified_record(beside.study)
    files = [folder / MANIFEST, run / MANIFEST, run / "artifacts" / "cv_metrics.json"]
    files += [path for path in (audit, explain, study) if path is not None]
    return CardEvidence(
        name=folder.resolve().name,
        run=metrics.run.folder,
        config=read_json(folder / "config.json"),
        provenance=_optional(
            Provenance if trained is None else ModelProvenance, folder / "provenance.json"
        ),
        record=record,
        status=_optional(Status, folder / "status.json"),
        model=_optional(ModelRecord, folder / MODEL),
        interval=_optional(PredictionInterval, folder / "interval.json"),
        flags=_optional(FlagFacts, folder / "flags.json"),
        audit=None if audit is None else read_audit(AuditRecord, audit, metrics.run.folder),
        explain=None if explain is None else read_audit(ExplainRecord, explain, metrics.run.folder),
        study=None if study is None else _study(study, metrics.run.folder),
        sources=[(_label(path), file_sha256(path)) for path in dict.fromkeys(files)],
    )


def _run_of(model: Path, runs: Path) -> Path:
    """Return the run that gave a model its figures, as it was when the model was trained."""
    record = read_record(ModelRecord, model / MODEL)
    run = runs / Path(record.cv_run).name
    if not run.is_dir():
        raise InputError(
            f"the run '{record.cv_run}' that the model's figures come from is not there",
            where=str(runs),
            mend="name the folder it lies in with --runs-dir",
        )
    require_intact(run)
    if file_sha256(run / MANIFEST) != record.cv_manifest_sha256:
        raise EvidenceError(
            "not the run that the model was trained after (its manifest differs)",
            where=str(run),
            mend="restore the run, or train the model again",
        )
    return run


def _beside(given: Path | None, runs: Path, run: Path, name: str) -> Path | None:
    """Return the file that was named, else the one in the usual place if there is one."""
    if given is not None:
        return given / name if given.is_dir() else given
    usual = runs / "audits" / run.resolve().name / name
    return usual if usual.is_file() else None


def _study(path: Path, run: str) -> StudyRecord:
    """Return a study; raise InputError unless the run is one of its runs."""
    study = read_study(path)
    if all(row.run != run for row in study.runs):
        raise InputError(
            f"no study with the run '{run}'", where=str(path), mend="name the study that ran it"
        )
    return study


def _label(path: Path) -> str:
    """Return a path without the folders above it: where a machine keeps things is its own."""
    parent = path.resolve().parent
    inside = parent.name == "artifacts"
    return f"{parent.parent.name}/artifacts/{path.name}" if inside else f"{parent.name}/{path.name}"


def _optional(kind: type[AnyRecord], path: Path) -> AnyRecord | None:
    return read_record(kind, path) if path.is_file() else None
