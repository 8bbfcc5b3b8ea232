"""The records of a locked test: its openings, and what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Record, Sha256
from essay_scoring.records.more_records import LedgerEntry
from essay_scoring.records.provenance import GitState, Machine
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.summary import Summary

OPENING = "opening.json"
FINAL_TEST = Path("artifacts", "final_test.json")


class Opening(Record):
    """opening.json: a locked test was opened, which essays, and for which run."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    locked: tuple[Sha256, ...] = Field(
        description="of each locked essay's normalised text, ascending"
    )
    locked_sha256: Sha256 = Field(description="of the locked essays in order")
    run: FolderName = Field(description="the decided run's folder")
    reference: str | None = Field(description="the reference's; null where it was decided for")
    study: str = Field(description="the study that decided")
    folder: FolderName = Field(description="the final test's folder under RUNS")
    place: Sha256 = Field(description="of the path of that folder")
    opening: int = Field(ge=1, description="how often any of these essays was opened by then")
    reason: str = Field(description="why")
    opened: str = Field(description="UTC, ISO 8601, to the microsecond")
    git: GitState = Field(description="the checkout")


class OpeningEntry(LedgerEntry, Opening):
    """A line of locked_test_ledger.jsonl: the locked test was opened."""

    def what(self) -> Opening:
        """Return the opening itself, as its folder holds it."""
        return Opening(**{name: getattr(self, name) for name in Opening.model_fields})


class LockedRun(Record):
    """One run's fit on all training essays, on the locked essays."""

    run: str = Field(description="the run's folder")
    manifest_sha256: Sha256 = Field(description="of its manifest.json")
    fit: Sha256 = Field(description="identity of the fit")
    summary: Summary = Field(description="the figures")


class FinalTest(Record):
    """artifacts/final_test.json: a decided run and its reference on the locked test."""

    schema_: Literal[2] = Field(default=2, alias="schema", description="version of this record")
    study: str = Field(description="the study that decided")
    study_manifest_sha256: Sha256 = Field(description="of its manifest.json")
    opening: int = Field(ge=1, description="how often any of these essays was opened by then")
    reason: str = Field(description="why the locked test was opened")
    n: int = Field(description="essays")
    locked_sha256: Sha256 = Field(description="of the locked essays")
    decided: LockedRun = Field(description="the decided run")
    reference: LockedRun | None = Field(description="null where the reference was decided for")
    comparison: Comparison | None = Field(
        description="decided minus reference, paired by essay; null without a reference"
    )
    code_revision: Sha256 = Field(description="of the code that the fits ran")
    versions: dict[str, str] = Field(description="versions of Python and of packages")
    machine: Machine = Field(description="where it ran")
