"""The records that only some runs have, and those of studies, searches, ledgers and launches."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue

from essay_scoring.core.record import Record, Scheme, Sha256
from essay_scoring.records.provenance import GitState


class ResidualRow(Record):
    """A row of artifacts/residuals_cv_val_oof.csv and .jsonl: one essay, out of fold."""

    split: Scheme | Literal["locked"] = Field(description="how the essay was held out")
    fold: int = Field(description="the fold that held it out")
    record_id: str = Field(description="the essay's id")
    prompt: str = Field(description="its prompt")
    y_true: float = Field(description="the rater's score, score points")
    y_pred_raw: float = Field(description="prediction before mapping, score points")
    y_pred: float = Field(description="predicted score, on the essay's scale")
    residual: float = Field(description="y_pred minus y_true, score points")
    abs_residual: float = Field(ge=0, description="its absolute value")
    within_half_band: bool = Field(description="at most 0.5 score points off")
    word_count: float | None = Field(description="words")
    grammar_errors_per_100_words: float | None = Field(description="per 100 words")
    spelling_errors_per_100_words: float | None = Field(description="per 100 words")
    punctuation_errors_per_100_words: float | None = Field(description="per 100 words")
    prompt_similarity: float | None = Field(description="cosine of essay and prompt name")


class TruncationCoverage(Record):
    """artifacts/truncation_coverage.json: how many essays the encoder's length would cut."""

    pct_essays_exceeding_max_length: float = Field(ge=0, le=100, description="percent of essays")
    avg_tokens_truncated_before_chunking: float = Field(description="tokens an essay")
    avg_chunks_per_essay: float = Field(description="chunks an essay")
    p95_chunks_per_essay: float = Field(description="95th percentile")
    max_length: int = Field(description="tokens in a chunk")
    chunk_overlap_tokens: int = Field(description="tokens that neighbouring chunks share")


class LedgerEntry(Record):
    """What every line of a ledger holds besides its own fields."""

    entry: int = Field(ge=1, description="number of the line")
    previous: Sha256 = Field(description="of the line before; zeros in the first")
    time: str = Field(description="UTC, ISO 8601, to the microsecond")


class RegisteredPlan(Record):
    """A gate plan that is written down, and what it is for."""

    plan: str = Field(description="its name")
    plan_sha256: Sha256 = Field(description="of the plan")
    frozen_plan: dict[str, JsonValue] = Field(description="the plan, whole")
    data_sha256: Sha256 = Field(description="the essays it is for")
    splits_sha256: Sha256 = Field(description="the splits it is for")
    code_revision: Sha256 = Field(description="of the sources that can change a number")
    reference: dict[str, Sha256] = Field(description="the reference's manifests by run folder")
    git: GitState = Field(description="the checkout")
    amends: Sha256 | None = Field(description="the plan of this name that it replaces")
    results_seen: bool | None = Field(
        description="of an amendment, whether results had been seen; null: not said"
    )


class RegisterEntry(RegisteredPlan, LedgerEntry):
    """A line of plan_register.jsonl: a gate plan, written down before its candidates ran."""


class RefusedRun(Record):
    """A run that failed or is no evidence."""

    run: str = Field(description="its folder")
    started: str | None = Field(description="when it was first entered, UTC, ISO 8601")
    manifest_sha256: Sha256 | None = Field(description="of its manifest.json")
    plan: str | None = Field(description="the gate plan it was judged under")
    plan_sha256: Sha256 | None = Field(description="of that plan")
    reason: str = Field(description="why it is refused from then on")


class AttemptEntry(RefusedRun, LedgerEntry):
    """A line of attempts.jsonl: a run that failed or is no evidence."""


class Checks(Record):
    """The checks before a launch."""

    started: str = Field(description="UTC, ISO 8601")
    finished: str = Field(description="UTC, ISO 8601")
    checks: dict[str, str] = Field(description="what each found")


class Receipt(Record):
    """receipt.json: a launch, what was started from what, and what was checked before."""

    schema_: Literal[1] = Field(alias="schema", description="version of this record")
    run: str = Field(description="the run folder's name")
    job: str = Field(description="session, process or job")
    submitted: str = Field(description="UTC, ISO 8601")
    backend: Literal["local", "ssh-screen", "slurm"] = Field(description="how it was started")
    host: str = Field(description="where")
    host_key: str | None = Field(description="the host's ssh key")
    command: list[str] = Field(description="the command line")
    parts: list[str] = Field(description="tasks of an array; empty for one job")
    code_revision: Sha256 = Field(description="of the sources that can change a number")
    commit: str = Field(description="of the checkout there")
    data_sha256: Sha256 = Field(description="the essays there")
    splits_sha256: Sha256 = Field(description="the splits there")
    config_sha256: Sha256 = Field(description="of the run's config")
    profile_sha256: Sha256 = Field(description="of the host profile")
    plans: dict[str, Sha256] = Field(description="gate plans by name")
    preflight: Checks = Field(description="the checks")
    earlier: list[dict[str, Any]] = Field(description="receipts of launches it resumed")


class FoldRecord(Record):
    """One fold."""

    fold: int = Field(description="its number")
    held_out_ids: list[str] = Field(description="essays held out")
    val_groups: list[str] = Field(description="prompts held out; empty where texts are")


class SplitsRecord(Record):
    """splits.json: who is held out when, under both schemes."""

    schema_version: Literal[1] = Field(description="version of this record")
    data_sha256: Sha256 = Field(description="the essays it is for")
    locked_sha256: Sha256 | None = Field(description="of the locked essays")
    sources: list[dict[str, Any]] = Field(description="the files that were read")
    exclude_prompts: list[str] = Field(description="prompts left out")
    word_window: list[int] = Field(description="fewest and most words")
    counts: dict[str, dict[str, int]] = Field(description="essays left after each step, by part")
    locked_ids: list[str] = Field(description="locked essays")
    n_splits: int = Field(description="folds")
    seed: int = Field(description="of the shuffle")
    partition: int = Field(description="which partition of the prompts; 0: by size and bands")
    splits_sha256: Sha256 = Field(description="of the folds")
    stratified_text: list[FoldRecord] = Field(description="texts held out")
    prompt_holdout: list[FoldRecord] = Field(description="prompts held out")
