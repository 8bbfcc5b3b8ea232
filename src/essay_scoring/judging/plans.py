"""Gate plans: what a candidate must show, written down before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, JsonValue, model_validator

from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.settings import Settings, build_settings
from essay_scoring.records.config import read_extended_toml
from essay_scoring.records.judgements import IdentityPart
from essay_scoring.statistics.comparison import Metric


class Check(Settings):
    """One demand on a delta, candidate minus reference.

    `superiority` asks that the candidate be better by a margin (a threshold of zero or more),
    `guardrail` that it not be worse by more than one (zero or less).
    """

    metric: Metric
    kind: Literal["superiority", "guardrail"]
    delta_at_least: float

    @model_validator(mode="after")
    def _side_of_zero(self) -> Self:
        if self.kind == "superiority" and self.delta_at_least < 0:
            raise ValueError("a superiority check needs delta_at_least >= 0")
        if self.kind == "guardrail" and self.delta_at_least > 0:
            raise ValueError("a guardrail needs delta_at_least <= 0")
        return self


class FineTuningRules(Settings):
    """Rules that only a fine-tuned encoder can meet; a family that has no such thing misses them.

    `effective_batch` bounds the essays of one optimiser step, ends included.
    """

    gradient_checkpointing: bool = False
    effective_batch: tuple[int, int] | None = None
    length_bucketing: bool = False
    chunked_and_pooled: bool = False

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.effective_batch and not 1 <= self.effective_batch[0] <= self.effective_batch[1]:
            raise ValueError("effective_batch needs 1 <= low <= high")
        return self


class EvidenceRules(Settings):
    """How a candidate's run must have been made for it to count as evidence at all.

    What is not named is not asked; a rule that the run's record does not answer is missed. `any`
    device must still be recorded. `precision` lists those allowed. `detached` asks for the receipt
    of a detached start. A complete manifest with matching checksums is asked of every run.
    """

    device: Literal["cuda", "rocm", "cpu", "any"] | None = None
    host: str | None = Field(default=None, min_length=1)
    precision: tuple[str, ...] | None = Field(default=None, min_length=1)
    finite: bool = False
    detached: bool = False
    fine_tuning: FineTuningRules = FineTuningRules()


class GatePlan(Settings):
    """What is asked of a candidate, against which reference, and how the deltas decide.

    `point` compares estimates with thresholds; `interval` compares 95% intervals with them and may
    end undecided. Prompts of fewer than `min_prompt_n` essays are no slice. `reference` is the part
    of the reference's run config that the plan fixes, in the config's own tables; `evidence` holds
    for candidates. `allow_dirty` admits runs of a tree with uncommitted changes. `tolerates` lists
    in what candidate and reference may differ besides their settings: everything, unless the plan
    says less. What differs is said in every comparison. `power_error` is
    the standard error down to which `power` simulates how often the plan passes an equal candidate.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    question: str = Field(min_length=1)
    reference: dict[str, JsonValue] = Field(default_factory=dict)
    scheme: Literal["stratified_text", "prompt_holdout"]
    rule: Literal["point", "interval"]
    min_prompt_n: int = Field(default=30, ge=2)
    bottom_k: int = Field(default=5, ge=1)
    checks: tuple[Check, ...] = Field(min_length=1)
    evidence: EvidenceRules = EvidenceRules()
    allow_dirty: bool = False
    tolerates: tuple[IdentityPart, ...] = get_args(IdentityPart)
    power_error: float = Field(default=0.01, ge=0.002, le=0.1)

    @model_validator(mode="after")
    def _one_check_a_metric(self) -> Self:
        seen = [(check.metric, check.kind) for check in self.checks]
        if len(set(seen)) < len(seen):
            raise ValueError("two checks of one kind on the same metric")
        return self

    @property
    def sha256(self) -> str:
        """The hash of what the plan says, whatever its layout and comments."""
        return fingerprint(self.frozen())

    def frozen(self) -> dict[str, JsonValue]:
        """Return all that the plan says as JSON values; of evidence rules only those it asks for.

        So a rule that a later version learns leaves the hashes of today's plans as they are, and so
        does what is tolerated, where that is everything. How closely `power` looks decides nothing.
        """
        untouched = self.tolerates == get_args(IdentityPart)
        left_out = {"evidence", "power_error"} | ({"tolerates"} if untouched else set())
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude=left_out)
        return said | {"evidence": self.evidence.model_dump(mode="json", exclude_defaults=True)}


def load_plan(path: Path) -> GatePlan:
    """Return the plan of a TOML file or a preset; InputError names the file and the full key."""
    return build_settings(GatePlan, read_extended_toml(path), str(path))
