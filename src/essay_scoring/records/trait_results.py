"""traits.json: one study for each trait of the same essays, and what the arms reach on average."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Record, Scheme, Sha256
from essay_scoring.records.judgements import Decision, Role
from essay_scoring.records.provenance import GitState, Machine
from essay_scoring.statistics.agreement import Estimate

TRAITS = "traits.json"


class TraitStudy(Record):
    """The study of one trait."""

    trait: str = Field(description="the column that was scored")
    study: FolderName = Field(description="its folder under RUNS/studies")
    manifest_sha256: Sha256 = Field(description="of its manifest.json")
    outcome: Decision = Field(description="the decision")
    decided_arm: str = Field(description="the arm it decides for")


class TraitRow(Record):
    """Pooled QWK of an arm on a trait, or on average over all traits."""

    trait: str | None = Field(description="the column that was scored; null: mean over traits")
    arm: str = Field(description="the arm")
    role: Role = Field(description="what it is in the studies")
    qwk: Estimate = Field(description="pooled QWK, mean over seeds")
    delta: Estimate | None = Field(description="less the reference's; null for the reference")


class TraitsRecord(Record):
    """traits.json: the studies of several traits, and their arms in one table."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    folder: str = Field(description="name and fingerprint")
    name: str = Field(description="the study's name")
    question: str = Field(description="what was asked of each trait")
    scheme: Scheme = Field(description="how essays were held out")
    n_prompts: int = Field(description="prompts")
    studies: tuple[TraitStudy, ...] = Field(description="one a trait")
    rows: tuple[TraitRow, ...] = Field(description="arms by trait, then on average over traits")
    judge_revision: Sha256 = Field(description="of the sources that compare and judge")
    git: GitState = Field(description="the checkout")
    machine: Machine = Field(description="where it ran")
