"""Gate plans: what a candidate must show, written down before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.settings import Settings, build_settings, read_toml

Metric = Literal[
    "mean_qwk",
    "pooled_qwk",
    "worst_prompt_qwk",
    "bottom_k_mean",
    "low_tail_adjacent",
    "high_tail_adjacent",
]
"""The deltas a check may stand on: those for which more is better."""


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


class GatePlan(Settings):
    """What is asked of a candidate, on which scheme, and how the deltas decide.

    `point` compares estimates with thresholds; `interval` compares 95% intervals with them and may
    end undecided. Prompts of fewer than `min_prompt_n` essays are no slice.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    question: str = Field(min_length=1)
    scheme: Literal["stratified_text", "prompt_holdout"]
    rule: Literal["point", "interval"]
    min_prompt_n: int = Field(default=30, ge=2)
    bottom_k: int = Field(default=5, ge=1)
    checks: tuple[Check, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_check_a_metric(self) -> Self:
        seen = [(check.metric, check.kind) for check in self.checks]
        if len(set(seen)) < len(seen):
            raise ValueError("two checks of one kind on the same metric")
        return self

    @property
    def sha256(self) -> str:
        """The hash of what the plan says, whatever its layout and comments."""
        return fingerprint(self.model_dump(mode="json"))


def load_plan(path: Path) -> GatePlan:
    """Return the plan of a TOML file; raise InputError naming the file and the full key."""
    return build_settings(GatePlan, read_toml(path), str(path))
