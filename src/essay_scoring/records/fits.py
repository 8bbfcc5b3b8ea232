"""A fit: what one training predicted of the essays it never saw, and what it was made with.

A run is a set of fits. Each lies in a folder of its own that appears whole and sealed, and is
verified whenever it is read, also when a run is resumed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field

from essay_scoring.core.contracts import TrainingExecution
from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.record import Record, Sha256, read_record, write_record
from essay_scoring.records.manifest import require_intact, write_manifest
from essay_scoring.records.provenance import Environment

FIT = "job.json"
MODEL = "model"


class Fit(Record):
    """How a fit went, wherever it is told."""

    rounds: int | None = Field(description="boosting rounds or epochs kept")
    curve: dict[str, list[float]] = Field(description="named figures of each round or epoch")
    n_fit: int = Field(description="essays fitted on")
    n_dev: int = Field(description="essays stopped on")
    seconds: float = Field(description="s, wall clock")
    peak_mib: float | None = Field(
        default=None, description="most resident memory while it ran, MiB; null if not known"
    )
    precisions: tuple[str, ...] = Field(
        description="in which numbers it computed: fp32, bf16, fp16; several for a mixed blend"
    )
    execution: TrainingExecution = Field(description="how networks were trained")
    finite: bool = Field(description="whether all losses and predictions were finite numbers")
    environments: tuple[Environment, ...] = Field(
        description="what it ran with; several where members of an ensemble ran apart"
    )


class FitRecord(Fit):
    """models/*/job.json: what one fit predicted of the essays it never saw."""

    schema_: Literal[2] = Field(default=2, alias="schema", description="version of this record")
    identity: Sha256 = Field(
        description="of data, folds, features, scorer, training, seed, packages and code"
    )
    folds: tuple[int, ...] = Field(description="the folds held out")
    ids: tuple[str, ...] = Field(description="the essays held out")
    raw: tuple[float, ...] = Field(description="their predictions before mapping, score points")


def has_fit(folder: Path) -> bool:
    """Tell whether a fit's folder is there; it never is unless the fit was finished."""
    return folder.is_dir()


def read_fit(folder: Path, identity: str | None = None) -> FitRecord:
    """Return a finished fit; raise EvidenceError unless it is as sealed, and the fit asked for."""
    require_intact(folder)
    record = read_record(FitRecord, folder / FIT)
    if identity is not None and record.identity != identity:
        raise EvidenceError(
            "this fit was made from other data, settings, packages or code than the run's",
            where=str(folder),
            mend="delete this folder and run the same command again",
        )
    return record


def write_fit(folder: Path, record: FitRecord, save: Callable[[Path], None] | None) -> None:
    """Write the model, if any, and the record into a hidden folder, seal it, give it its name."""
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    if save is not None:
        save(unfinished / MODEL)
    write_record(unfinished / FIT, record)
    write_manifest(unfinished)
    unfinished.rename(folder)
