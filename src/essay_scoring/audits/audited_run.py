"""A finished run opened again: what it recorded, and the data and columns it worked on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.progress import Progress
from essay_scoring.records import provenance
from essay_scoring.records.audit_record import AuditedRun
from essay_scoring.records.config import load_run_config
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import Run, open_run
from essay_scoring.statistics.predictions import Predictions


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What a run recorded, and the same run open on the same data and splits."""

    record: RunRecord
    run: Run

    @cached_property
    def predictions(self) -> Predictions:
        """The recorded out-of-fold predictions, in the order of the run's essays."""
        place = {essay: row for row, essay in enumerate(self.record.predictions.ids)}
        ids = self.run.prepared.train.essays.ids
        return self.record.predictions.take(np.array([place[essay] for essay in ids]))

    @property
    def models(self) -> Path:
        """The folder of the run's out-of-fold models."""
        return self.record.folder / "models"

    @property
    def identity(self) -> AuditedRun:
        """What was made of which data by which code, and which code reads it now."""
        return identity_of(self.record)


def identity_of(record: RunRecord) -> AuditedRun:
    """Return what a run was made of by which code, and which code reads it now."""
    metrics = record.metrics
    return AuditedRun(
        name=metrics.run.name,
        folder=record.folder.name,
        manifest_sha256=record.manifest_sha256,
        scheme=record.scheme,
        family=metrics.family,
        data_sha256=metrics.data.data_sha256,
        splits_sha256=metrics.data.splits_sha256,
        n=metrics.data.n,
        n_prompts=metrics.data.n_prompts,
        unit=metrics.summary.unit,
        code_revision=metrics.code_revision,
        read_with=provenance.code_revision(),
    )


def open_finished(folder: Path, workspace: Workspace, progress: Progress) -> FinishedRun:
    """Return a finished run with the data it was made on, prepared again if need be.

    Raises EvidenceError for a run that is not complete or was changed, and where data or splits
    are no longer those of the run; InputError for imported predictions.
    """
    record = read_run(folder)
    if record.metrics.family == "imported":
        raise InputError(
            "imported predictions come without models, data and columns",
            where=str(folder),
            mend="name a run that cv made",
        )
    run = open_run(load_run_config(folder / "config.json"), workspace, progress)
    now = {"data_sha256": run.prepared.data_sha256, "splits_sha256": run.splits.sha256}
    for key, value in now.items():
        if getattr(record.metrics.data, key) != value:
            raise EvidenceError(
                f"{key} is no longer that of the run",
                where=str(folder),
                mend="give the data and splits that the run was made on",
            )
    return FinishedRun(record, run)
