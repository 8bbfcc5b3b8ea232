"""audit.json and explain.json: what an audit and an explanation find in a run, without any text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from essay_scoring.core.errors import InputError
from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Record, Scheme, Sha256, read_record

Verdict = Literal["pass", "fail", "undecided", "info"]
Judged = Literal["pass", "fail", "undecided"]
Cell = str | int | float | None


@dataclass(frozen=True)
class Figure:
    """One number with its 95% interval and n; null where the data at hand cannot give it."""

    name: Annotated[str, Field(description="what it is")]
    group: Annotated[str, Field(description="of which essays; empty for all")]
    estimate: Annotated[float | None, Field(description="its value")]
    n: Annotated[int, Field(description="essays")]
    low: Annotated[float | None, Field(description="lower end of the interval")] = None
    high: Annotated[float | None, Field(description="upper end")] = None
    limit: Annotated[float | None, Field(description="what its size must not exceed")] = None
    passes: Annotated[
        bool | None,
        Field(description="null without a limit, or where the interval does not tell"),
    ] = None
    at_least: Annotated[
        bool, Field(description="whether the limit is what it must reach instead")
    ] = False

    @property
    def result(self) -> Judged | None:
        """How it ends beside its limit; None without one."""
        if self.limit is None:
            return None
        return "undecided" if self.passes is None else "pass" if self.passes else "fail"

    @property
    def limits(self) -> tuple[float, ...]:
        """The values that it is held against; none without a limit."""
        if self.limit is None:
            return ()
        return (self.limit,) if self.at_least else (self.limit, -self.limit)


def verdict_on(figures: Iterable[Figure]) -> Verdict:
    """Return what figures with limits come to: the worst of them, `info` where none has a limit."""
    results = {figure.result for figure in figures}
    worst: tuple[Judged, ...] = ("fail", "undecided", "pass")
    return next((result for result in worst if result in results), "info")


@dataclass(frozen=True)
class DetailTable:
    """A table of details."""

    caption: Annotated[str, Field(description="what it shows")]
    columns: Annotated[Sequence[str], Field(description="their titles")]
    rows: Annotated[Sequence[Sequence[Cell]], Field(description="a cell for each column")]


@dataclass(frozen=True)
class AuditSection:
    """One question put to a run: the finding in one sentence, then what it rests on."""

    name: Annotated[str, Field(description="of the section, for programs")]
    title: Annotated[str, Field(description="for people")]
    finding: Annotated[str, Field(description="the answer in a sentence")]
    verdict: Annotated[
        Verdict,
        Field(
            description="`undecided` where an interval holds its limit, `info` where none is judged"
        ),
    ] = "info"
    figures: Annotated[Sequence[Figure], Field(description="what it rests on")] = field(
        default_factory=tuple
    )
    tables: Annotated[Sequence[DetailTable], Field(description="details")] = field(
        default_factory=tuple
    )


class AuditedRun(Record):
    """Which run was looked into, made of which data by which code, and which code read it."""

    name: str = Field(description="its name")
    folder: FolderName = Field(description="name and fingerprint")
    manifest_sha256: Sha256 = Field(description="of its manifest.json")
    scheme: Scheme = Field(description="how essays were held out")
    family: str = Field(description="the scorer's family")
    data_sha256: Sha256 | None = Field(description="of the essays")
    splits_sha256: Sha256 | None = Field(description="of who is held out when")
    n: int = Field(description="essays")
    n_prompts: int = Field(description="prompts")
    unit: str = Field(description="what errors are measured in")
    code_revision: Sha256 = Field(description="of the code that the fits ran")
    read_with: Sha256 = Field(description="of the code that looked into it")


class AuditSettings(Record):
    """What an audit was made with."""

    seed: int = Field(description="of all that is drawn in it")
    replicates: int = Field(description="prompts, or groups of very many, left out in turn")
    attack_essays: int = Field(description="essays that were spoilt and scored again")
    permutations: int = Field(description="shuffles of the test of leakage")
    min_group_n: int = Field(description="essays below which a group is not judged")


class ExplainSettings(Record):
    """What an explanation was made with."""

    refit_seeds: int = Field(description="seeds of the fits without a construct; 0: none was made")


class AuditRecord(Record):
    """audit.json: what is wrong with a run, question by question."""

    schema_version: Literal[1] = Field(default=1, description="version of this record")
    run: AuditedRun = Field(description="which run")
    settings: AuditSettings = Field(description="how it was made")
    sections: tuple[AuditSection, ...] = Field(description="each question")


class ExplainRecord(Record):
    """explain.json: why a run predicts as it does, and the prompts that it fails on."""

    schema_version: Literal[1] = Field(default=1, description="version of this record")
    run: AuditedRun = Field(description="which run")
    settings: ExplainSettings = Field(description="how it was made")
    sections: tuple[AuditSection, ...] = Field(description="contributions, refits, failure cards")


AnyAudit = TypeVar("AnyAudit", bound=AuditRecord | ExplainRecord)


def read_audit(kind: type[AnyAudit], path: Path, of_run: str) -> AnyAudit:
    """Return an audit.json or explain.json; InputError for another file or one of another run."""
    record = read_record(kind, path)
    if record.run.folder != of_run:
        raise InputError(
            f"is about the run '{record.run.folder}', not '{of_run}'",
            where=str(path),
            mend="name the other",
        )
    return record
