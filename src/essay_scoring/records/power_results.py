"""power.json: what a gate plan can detect on the data of a reference run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from essay_scoring.core.record import Record, Scheme, Sha256, Share
from essay_scoring.records.judgements import Rule

Scenario = Literal["equal", "everywhere", "worst_prompts", "low_tail"]


class Rate(Record):
    """How many of n simulations passed, with an exact 95% interval (Clopper and Pearson 1934)."""

    passed: int = Field(description="simulations that passed")
    n: int = Field(description="simulations")
    rate: Share = Field(description="passed / n")
    low: Share = Field(description="lower end of its 95% interval")
    high: Share = Field(description="upper end")


class Detectable(Record):
    """The smallest true delta that passes four times in five; 0 where equal scorers already do."""

    delta: float | None = Field(description="null where it lies beyond `tried`")
    low: float | None = Field(description="lower end of its 95% interval; null beyond `tried`")
    high: float | None = Field(description="upper end; null beyond `tried`")
    tried: float = Field(description="the largest true delta that was simulated")


class DetectableDelta(Detectable):
    """What a plan, or one of its checks, detects in a scenario."""

    scenario: Scenario = Field(description="where the candidate is better")
    check: int | None = Field(description="position of the check; null: the whole plan")
    metric: str = Field(description="the figure the delta is in")
    kind: Literal["plan", "superiority", "guardrail"] = Field(description="what passes")


class CheckPower(Rate):
    """How often one check passes a simulated candidate."""

    metric: str = Field(description="the figure")
    kind: Literal["superiority", "guardrail"] = Field(description="what the check asks")
    true_delta: float = Field(description="of endlessly many essays")
    mean_delta: float | None = Field(description="mean estimate; null if never defined")
    sd_delta: float | None = Field(description="sample standard deviation of the estimates")


class ResultCounts(Record):
    """How many simulations ended in each way."""

    passed: int = Field(alias="pass", description="every check passed")
    fail: int = Field(description="a check failed")
    inconclusive: int = Field(description="undecided")
    invalid: int = Field(description="a check had no figure")


class CandidatePower(Rate):
    """How often the whole plan passes a simulated candidate."""

    scenario: Scenario = Field(description="where the candidate is better")
    gain: float = Field(description="its true gain, in the scenario's own figure")
    errors_removed: Share = Field(description="by what share its errors are smaller")
    results: ResultCounts = Field(description="by outcome")
    checks: tuple[CheckPower, ...] = Field(description="each check, in the plan's order")


class TrialRecord(Record):
    """A condition the plan was tried in; the first is the reference's own."""

    name: str = Field(description="in words")
    essays: int = Field(description="essays")
    prompts: int = Field(description="prompts")
    large_prompts: int = Field(description="prompts large enough to be judged alone")
    correlation: float = Field(description="of the errors of reference and candidate")
    shared_prompts: bool = Field(description="whether both are equally good on every prompt")
    candidates: tuple[CandidatePower, ...] = Field(description="equal scorers first")
    detectable: tuple[DetectableDelta, ...] = Field(description="by scenario, plan and check")


class PlannedCheck(Record):
    """A check of the plan."""

    metric: str = Field(description="the figure")
    kind: Literal["superiority", "guardrail"] = Field(description="what the check asks")
    delta_at_least: float = Field(description="the threshold")


class SimulatedPlan(Record):
    """The plan that was simulated."""

    name: str = Field(description="its name")
    sha256: Sha256 = Field(description="of all that it says")
    question: str = Field(description="what it asks")
    scheme: Scheme = Field(description="how essays are held out")
    rule: Rule = Field(description="what decides")
    min_prompt_n: int = Field(description="essays that make a prompt large enough to judge")
    bottom_k: int = Field(description="how many of the worst prompts are averaged")
    checks: tuple[PlannedCheck, ...] = Field(description="its checks")
    reference: dict[str, JsonValue] = Field(description="what it fixes of the reference's config")
    evidence: dict[str, JsonValue] = Field(description="how candidates must be made")
    allow_dirty: bool = Field(description="whether trees with uncommitted changes are admitted")


class PowerReference(Record):
    """The run that pairs are simulated from."""

    run: str = Field(description="its folder")
    manifest_sha256: Sha256 = Field(description="of its manifest.json")
    essays: int = Field(description="essays")
    prompts: int = Field(description="prompts")


class Correlation(Record):
    """How the errors of reference and candidate correlate."""

    value: float = Field(description="0 to 0.99")
    source: str = Field(description="how that is known")


class FigureResemblance(Record):
    """A figure of the reference beside simulated references."""

    metric: str = Field(description="the figure")
    observed: float = Field(description="of the reference")
    simulated: float | None = Field(description="mean over simulations")
    low: float | None = Field(description="2.5% quantile of simulations")
    high: float | None = Field(description="97.5% quantile")


class PopulationRecord(Record):
    """The population that essays and scorers are drawn from."""

    shift: float = Field(description="mean error, label units")
    accuracy: float = Field(description="of the reference")
    figures: tuple[FigureResemblance, ...] = Field(description="of each check")


class PowerRecord(Record):
    """power.json: how often a plan passes equal scorers, and what it detects."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    plan: SimulatedPlan = Field(description="the plan")
    reference: PowerReference = Field(description="the run")
    simulations: int = Field(description="pairs of equal scorers")
    seed: int = Field(default=0, description="of everything that is simulated")
    replicates: int = Field(description="swaps for each interval; 0 under the point rule")
    correlation: Correlation = Field(description="of errors")
    population: PopulationRecord = Field(description="what is drawn from")
    trials: tuple[TrialRecord, ...] = Field(description="by condition")
    judge_revision: Sha256 = Field(description="of the sources that compare and judge")
    conclusion: str = Field(description="in one line")


class CachedPower(Record):
    """CACHE/power/*.json: a record with its hash, so that an edited one is simulated again."""

    sha256: Sha256 = Field(description="of the record's canonical JSON")
    record: PowerRecord = Field(description="the record")
