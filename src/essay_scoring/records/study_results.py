"""study.json: what a study asked, ran, compared and decided; and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, JsonValue

from essay_scoring.core.names import FolderName
from essay_scoring.core.record import Record, Scheme, Sha256, read_record
from essay_scoring.records.judgements import Decision, Gate, Registration, Role, SchemeComparison
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.provenance import GitState, Machine
from essay_scoring.records.run_records import MetricsData
from essay_scoring.records.search import TuningRecord, WinnersCurse
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.summary import OverFolds, WorstPrompt

STUDY = "study.json"

Ending = Literal["pass", "fail", "unstable", "invalid", "inconclusive", "not_run"]
"""How a candidate ends; see `study_outcomes.ending_of`."""


class PlanInForce(Record):
    """A gate plan as it was registered before any candidate ran."""

    name: str = Field(description="the plan")
    sha256: Sha256 = Field(description="of the plan")
    frozen: dict[str, JsonValue] = Field(description="all that the plan says, as it is hashed")
    registered: Registration = Field(description="its line of the register")
    power: str = Field(description="in a line what it can detect on the reference's data")


class ArmEnding(Record):
    """How an arm ended, and why where that needs saying."""

    arm: str = Field(description="its name")
    role: Role = Field(description="what it is in the study")
    ending: Ending | None = Field(description="null for an arm that no gate judges")
    reason: str | None = Field(default=None, description="why it did not run, or is not compared")
    unstable: str | None = Field(
        default=None, description="how its seeds or numbers went astray; null where they did not"
    )


class BriefSummary(Record):
    """The part of a run's figures that a study's tables show; cv_metrics.json has all of them."""

    n: int = Field(description="essays")
    overall: dict[str, Estimate] = Field(description="each figure over all essays")
    mean_over_folds: dict[str, OverFolds] = Field(description="qwk, mae, rmse, exact, adjacent")
    worst_prompt: WorstPrompt | None = Field(description="the lowest QWK of a large prompt")
    bottom_k_mean: float | None = Field(description="mean QWK of the worst prompts")

    @classmethod
    def of(cls, summary: Any) -> Self:
        """Return the part of a whole summary, a record or its JSON values."""
        values = dict(summary)
        return cls(**{name: values[name] for name in cls.model_fields})


class StudyRun(Record):
    """One run of an arm."""

    arm: str = Field(description="the arm")
    role: Role = Field(description="what it is in the study")
    scheme: Scheme = Field(description="how essays were held out")
    seed: int = Field(description="of the run")
    run: FolderName = Field(description="its folder under RUNS")
    manifest_sha256: Sha256 = Field(description="of its manifest.json")
    family: str = Field(description="the scorer's family")
    seconds: float = Field(description="s, of its fits")
    peak_mib: float | None = Field(default=None, description="most memory of a fit, MiB")
    command: str | None = Field(default=None, description="what runs it alone; null: nothing does")
    summary: BriefSummary = Field(description="its figures")
    baselines: dict[str, BriefSummary] = Field(description="of the reference's baselines")


class RefusedAttempt(Record):
    """A run that was no evidence, as the ledger of attempts keeps it."""

    entry: int = Field(description="line of attempts.jsonl")
    run: str = Field(description="its folder")
    plan: str | None = Field(description="the plan it was judged under")
    started: str | None = Field(description="when it was first entered, UTC, ISO 8601")
    time: str = Field(description="since when it is refused, UTC, ISO 8601")
    reason: str = Field(description="why")


class ChecklistItem(Record):
    """One box of the review checklist."""

    item: str = Field(description="what is asked")
    met: bool = Field(description="whether the run folders show it")
    evidence: str = Field(description="where, or what is missing")


class StudyRecord(Record):
    """study.json: what a study asked, ran, compared and decided."""

    schema_: Literal[3] = Field(default=3, alias="schema", description="version of this record")
    folder: str = Field(description="name and fingerprint")
    date: str = Field(description="UTC, ISO 8601")
    name: str = Field(description="the study's name")
    question: str = Field(description="what was asked")
    outcome: Decision = Field(description="the decision")
    reason: str = Field(description="why")
    decided_arm: str = Field(description="the arm it decides for")
    decided_run: FolderName = Field(description="its run folder")
    tuning: TuningRecord | None = Field(description="the search that followed a pass")
    data: MetricsData = Field(description="the essays")
    plans: tuple[PlanInForce, ...] = Field(description="each plan, its registration, its power")
    arms: tuple[ArmEnding, ...] = Field(description="how each arm ended, and why")
    runs: tuple[StudyRun, ...] = Field(description="each run")
    gates: tuple[Gate, ...] = Field(description="each verdict")
    comparisons: tuple[SchemeComparison, ...] = Field(description="deltas and tests by scheme")
    attempts: tuple[RefusedAttempt, ...] = Field(description="runs that were no evidence")
    luck: WinnersCurse | None = Field(
        default=None,
        description="what the candidate decided for would lose elsewhere had it been selected as "
        "the best by mean QWK; null for fewer than two candidates, or where the reference stays",
    )
    tied: tuple[tuple[str, ...], ...] = Field(
        default=(),
        description="largest groups of arms no two of which are told apart in pooled QWK",
    )
    checklist: tuple[ChecklistItem, ...] = Field(description="the review checklist")
    code_revision: Sha256 = Field(description="of the sources that a fit runs")
    judge_revision: Sha256 | None = Field(
        default=None, description="of the sources that compare and judge; null in old studies"
    )
    git: GitState = Field(description="the checkout")
    machine: Machine = Field(description="where it ran")
    versions: dict[str, str] = Field(description="versions of Python and of packages")


def verified_record(source: Path, name: str = STUDY) -> Path:
    """Return the record `name` of a folder, or `source` itself where it is a file.

    Raises EvidenceError where it lies in a finished folder of which any file was changed. A file
    that was copied out of its folder has no seal, and is taken as it is.
    """
    path = source / name if source.is_dir() else source
    if is_complete(path.parent):
        require_intact(path.parent)
    return path


def read_study(source: Path) -> StudyRecord:
    """Return the record of a study folder or of a study.json; InputError for anything else.

    Raises EvidenceError for a finished study that was changed.
    """
    return read_record(StudyRecord, verified_record(source))


class StudyStep(Record):
    """A step of a study: one job, or an array of one for each of `tasks`."""

    name: str = Field(pattern="^[a-z0-9_.:-]+$", description="what --step takes")
    after: tuple[str, ...] = Field(description="the steps that must have ended well before")
    may_fail: bool = Field(
        default=False, description="whether those after it go on where a task of it failed"
    )
    tasks: tuple[str, ...] = Field(default=(), description="tasks of an array; none for one job")
    missing: tuple[int, ...] = Field(default=(), description="numbers of those not done")
    is_done: bool = Field(description="whether nothing of it is left to do")
    runs: tuple[str, ...] = Field(default=(), description="the run folders that it works in")

    @property
    def is_array(self) -> bool:
        """Whether it is an array of tasks."""
        return bool(self.tasks)
