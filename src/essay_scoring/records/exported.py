"""The record of an exported table of columns: what it holds and what it comes from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essay_scoring.core.record import Record, Sha256
from essay_scoring.records.audit_record import AuditedRun
from essay_scoring.records.run_records import BlockIdentity


class ExportedColumns(Record):
    """NAME.json beside an exported table: the columns of a run, without essay text."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    run: AuditedRun = Field(description="the run that they are of")
    file: str = Field(description="the table's name")
    sha256: Sha256 = Field(description="of the table")
    n: int = Field(description="rows, one an essay")
    columns: tuple[str, ...] = Field(
        description="in the order the scorer reads, then covariates it does not"
    )
    blocks: dict[str, BlockIdentity] = Field(description="each feature block that made them")
    precisions: tuple[str, ...] = Field(description="in which numbers the run's fits computed")
    instruction_sets: tuple[str, ...] = Field(description="of the processors that fitted the run")
