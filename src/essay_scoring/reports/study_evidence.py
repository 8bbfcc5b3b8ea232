"""What lies beside a study about the run it decided for, and what is wrong with that run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.records.audit_record import (
    AuditRecord,
    AuditSection,
    ExplainRecord,
    read_audit,
)
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.study_results import STUDY, BriefSummary, StudyRecord, read_study
from essay_scoring.reports.shortcomings import Shortcoming, length_effect, shortcomings
from essay_scoring.statistics.summary import Summary

AUDITED = "Audits"
AUDITS: dict[str, tuple[str, type[AuditRecord | ExplainRecord]]] = {
    "audit.json": (AUDITED, AuditRecord),
    "explain.json": ("What the scores rest on", ExplainRecord),
}
"""The files of a run's audits, each with its title and its record."""


@dataclass(frozen=True, eq=False)
class Beside:
    """The decided run's artifacts, None where they are not at hand, and its audits by title."""

    run: RunRecord | None = None
    audits: dict[str, Sequence[AuditSection]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Best:
    """The run that a study decided for: its arm, its summary, and what is wrong with it."""

    arm: str
    run: str
    summary: Summary | BriefSummary
    shortcomings: Sequence[Shortcoming]


def read_beside(folder: Path, study: StudyRecord, decided: RunRecord | None = None) -> Beside:
    """Return what there is of the run decided for; `folder` is RUNS/studies/<study>.

    RUNS is asked for the run only where the caller does not have it.
    """
    runs, name = folder.resolve().parent.parent, Path(study.decided_run).name
    audits = runs / "audits" / name
    if decided is None and is_complete(runs / name):
        decided = read_run(runs / name)
    return Beside(
        decided,
        {
            title: read_audit(kind, audits / file, study.decided_run).sections
            for file, (title, kind) in AUDITS.items()
            if (audits / file).is_file()
        },
    )


def deciding_study(runs: Path, run: str) -> StudyRecord | None:
    """Return the latest study of a runs folder that decided for a run; None where there is none."""
    found = []
    for path in sorted((runs / "studies").glob(f"*/{STUDY}")):
        with contextlib.suppress(InputError, EvidenceError):
            found.append(read_study(path.parent))
    mine = [study for study in found if study.decided_run == run]
    return max(mine, key=lambda study: study.date, default=None)


def best_of(study: StudyRecord, beside: Beside) -> Best:
    """Return the run decided for, with its whole summary where its artifacts are at hand.

    study.json holds less; then less is shown.
    """
    row = next(run for run in study.runs if run.run == study.decided_run)
    summary = row.summary if beside.run is None else beside.run.metrics.summary
    return Best(row.arm, row.run, summary, shortcomings(summary, length_effect(study)))
