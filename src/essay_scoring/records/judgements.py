"""Comparisons and verdicts: what compare-cv-runs, judge and studies return and write."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from essay_scoring.core.number_text import p_value
from essay_scoring.core.record import Record, Scheme, Sha256, Share
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.covariate_regression import CovariateEffect
from essay_scoring.statistics.mixed_model import ArmEffect

Rule = Literal["point", "interval"]
Result = Literal["passed", "failed", "undecided"]
Outcome = Literal["pass", "fail", "inconclusive"]
Decision = Literal["proceed", "defer", "inconclusive"]
Role = Literal["reference", "candidate", "tuned", "context"]


IdentityPart = Literal["code", "versions", "processor", "precision", "device"]
"""What can differ between two runs besides their settings and data."""


class Registration(Record):
    """When a plan was registered, and for which data and splits."""

    entry: int = Field(description="line of plan_register.jsonl")
    plan: str = Field(description="the plan's name")
    plan_sha256: Sha256 = Field(description="of the plan")
    data_sha256: Sha256 = Field(description="the essays it is for")
    splits_sha256: Sha256 = Field(description="the splits it is for")
    code_revision: Sha256 = Field(description="of the sources at that time")
    time: str = Field(description="UTC, ISO 8601, to the microsecond")
    amends: Sha256 | None = Field(
        default=None, description="the plan of this name that it replaces; null for none"
    )
    results_seen: bool | None = Field(
        default=None, description="of an amendment, whether results had been seen; null: not said"
    )


class CheckResult(Record):
    """One check of a plan, answered by a comparison."""

    metric: str = Field(description="the figure")
    kind: Literal["superiority", "guardrail"] = Field(description="what the check asks")
    threshold: float = Field(description="smallest delta that passes")
    reference: float = Field(description="the reference's figure")
    candidate: float = Field(description="the candidate's figure")
    delta: float = Field(description="candidate minus reference")
    low: float | None = Field(description="lower end of the delta's 95% interval")
    high: float | None = Field(description="upper end")
    n: int = Field(description="essays")
    share_at_least: Share | None = Field(
        description="how often a delta with such errors is at least the threshold"
    )
    result: Result = Field(description="how the check ended")
    within_noise: bool = Field(
        description="whether the interval holds the threshold: a point rule decides by chance"
    )


class Verdict(Record):
    """A plan's verdict on a comparison: `pass` if every check passed, `fail` if any failed."""

    plan: str = Field(description="the plan")
    plan_sha256: Sha256 = Field(description="of the plan")
    rule: Rule = Field(description="what decides")
    outcome: Outcome = Field(description="of all checks together")
    decision: Decision = Field(description="what follows for the candidate")
    findings: tuple[CheckResult, ...] = Field(description="the checks, in the plan's order")


class Demand(Record):
    """One evidence rule that a plan asks for, with what the run records of it."""

    rule: str = Field(description="the rule's name")
    asked: JsonValue = Field(description="what the plan asks for")
    answers: tuple[JsonValue, ...] = Field(
        description="each answer that some fit records; null: a fit records nothing"
    )
    met: bool = Field(description="whether every fit answers as asked")

    def line(self) -> str:
        """Return the rule with what was recorded and asked, in a few words."""
        answers = ", ".join(map(_shown, self.answers))
        return f"{self.rule} ({answers}; asked for {_shown(self.asked)})"


class IdentityDifference(Record):
    """How the fits of two arms differ in what they ran with, besides their settings."""

    what: IdentityPart = Field(description="what differs")
    reference: str = Field(description="what the reference's fits ran with")
    candidate: str = Field(description="what the candidate's fits ran with")

    def line(self) -> str:
        """Return the difference in a few words."""
        return f"{self.what} differs: reference {self.reference}; candidate {self.candidate}"


FAMILY_LEVEL = 0.025
"""How often a study of equal candidates may proceed: the upper end of a 95% interval."""


class FamilyWise(Record):
    """A gate's p-values under the null that some check is not met, one-sided."""

    candidates: int = Field(description="candidates of the study, whether they have run or not")
    p: Share = Field(description="of this gate alone: the largest of its checks'")
    adjusted_p: Share = Field(
        description="how often any of so many equal candidates would pass as clearly"
    )
    passes: bool = Field(description="whether that is at most 2.5%")

    def line(self) -> str:
        """Return both p-values in a sentence."""
        alone, among = (p_value(p, FAMILY_LEVEL) for p in (self.p, self.adjusted_p))
        if self.candidates == 1:
            return f"{alone}; what passes has at most {FAMILY_LEVEL}"
        return (
            f"{alone} alone, {among} among all {self.candidates} candidates; "
            f"what passes has at most {FAMILY_LEVEL}"
        )


class Gate(Record):
    """How one gate judged one arm."""

    arm: str = Field(description="the candidate")
    plan: str = Field(description="the gate plan")
    plan_sha256: Sha256 = Field(description="of the plan as it was registered")
    scheme: Scheme = Field(description="how essays were held out")
    rule: Rule = Field(description="what decides")
    verdict: Outcome | Literal["invalid"] = Field(description="the outcome")
    reason: str | None = Field(description="why the evidence is invalid")
    checks: tuple[CheckResult, ...] = Field(description="each check; none where invalid")
    differences: tuple[IdentityDifference, ...] = Field(
        default=(), description="what else than settings differs between the arms; all tolerated"
    )
    family: FamilyWise | None = Field(
        default=None,
        description="among all candidates of a study; null elsewhere and under `point`",
    )
    candidate_runs: tuple[str, ...] = Field(default=(), description="run folders, one a seed")
    evidence: dict[str, tuple[Demand, ...]] = Field(
        default_factory=dict, description="evidence rules and answers by run"
    )


class Holm(Record):
    """P-values adjusted over all candidates (Holm 1979); null where the test has none."""

    prompt_test: float | None = Field(description="sign flips over prompts")
    fold_test: float | None = Field(description="corrected resampled t over folds")


class ArmComparison(Comparison):
    """One arm against the reference."""

    arm: str = Field(description="its name")
    role: Role = Field(description="what it is in the study")
    runs: tuple[str, ...] = Field(description="run folders, one a seed")
    holm: Holm = Field(description="adjusted p-values")
    mixed_model: ArmEffect | None = Field(description="of absolute error; null without statsmodels")
    covariates: tuple[CovariateEffect, ...] | None = Field(
        description="what the first run's residuals follow; null without statsmodels"
    )


class ReferenceArm(Record):
    """The arm that the others are compared with."""

    arm: str = Field(description="its name")
    runs: tuple[str, ...] = Field(description="run folders, one a seed")
    covariates: tuple[CovariateEffect, ...] | None = Field(
        description="what the first run's residuals follow; null without statsmodels"
    )


class SchemeComparison(Record):
    """Arms against one reference, all under one scheme."""

    scheme: Scheme = Field(description="how essays were held out")
    reference: ReferenceArm = Field(description="the reference")
    arms: tuple[ArmComparison, ...] = Field(description="the arms, in the order they ended")
    statistics: str | None = Field(description="how to install what is left out; null if nothing")


class CandidatesRecord(Record):
    """compare-cv-runs --out: candidates judged by a plan that nobody registered."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    question: str = Field(description="the plan's question")
    plan: str = Field(description="the plan")
    plan_sha256: Sha256 = Field(description="of the plan")
    registered: None = Field(default=None, description="never: that takes register and judge")
    reference: str = Field(description="the reference's run folder")
    candidates: tuple[str, ...] = Field(description="the candidates' run folders")
    gates: tuple[Gate, ...] = Field(description="each verdict")
    comparisons: tuple[SchemeComparison, ...] = Field(description="deltas and tests")


class JudgementRecord(Record):
    """judge --out: a candidate judged by a registered plan."""

    schema_: Literal[2] = Field(default=2, alias="schema", description="version of this record")
    question: str = Field(description="the plan's question")
    registered: Registration = Field(description="when the plan was registered")
    gates: tuple[Gate] = Field(description="the verdict")
    comparisons: tuple[SchemeComparison] = Field(description="deltas and tests")
    manifests: dict[str, Sha256] = Field(description="of each run, by folder")


def _shown(value: object) -> str:
    """Return what a rule asks for or a record answers, in words."""
    if value is None:
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return (" to " if isinstance(value[0], int) else " or ").join(map(str, value))
    return str(value)
