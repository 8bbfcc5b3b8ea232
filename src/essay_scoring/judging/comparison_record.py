"""Several arms against one reference as one record: deltas, tests, and what their errors follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.judging.compare_runs import Judgement, judge_runs
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import (
    ArmComparison,
    CandidatesRecord,
    Demand,
    Gate,
    Holm,
    ReferenceArm,
    Role,
    SchemeComparison,
)
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.covariate_regression import CovariateEffect, covariate_effects
from essay_scoring.statistics.hypothesis_tests import holm
from essay_scoring.statistics.mixed_model import ArmEffect, arm_effect


@dataclass(frozen=True, eq=False)
class ComparedArm:
    """An arm's runs (one, or one for each seed) with its comparison to the reference."""

    name: str
    role: Role
    runs: Sequence[RunRecord]
    comparison: Comparison


Covariates = tuple[CovariateEffect, ...] | None


def comparison_record(
    name: str, reference: Sequence[RunRecord], arms: Sequence[ComparedArm]
) -> SchemeComparison:
    """Return arms against the reference called `name`, all under one scheme.

    Each arm has its comparison; p-values by test, Holm-adjusted over all arms but those of the
    role `context`; a mixed model of absolute error; and, like the reference, what the residuals of
    its first run follow. `statistics` is None, or how to install what the last two need.
    """
    missing: str | None = None
    covariates: list[Covariates] = [None] * (1 + len(arms))
    effects: list[ArmEffect | None] = [None] * len(arms)
    try:
        covariates = [_covariates(runs[0]) for runs in (reference, *(arm.runs for arm in arms))]
        base = [run.predictions for run in reference]
        effects = [arm_effect(base, [run.predictions for run in arm.runs]) for arm in arms]
    except MissingExtraError as error:
        missing = error.anywhere
        covariates, effects = [None] * (1 + len(arms)), [None] * len(arms)
    judged = [arm for arm in arms if arm.role != "context"]
    by_prompt = holm({arm.name: _p(arm.comparison.prompt_test) for arm in judged})
    by_fold = holm({arm.name: _p(arm.comparison.fold_test) for arm in judged})
    return SchemeComparison(
        scheme=reference[0].scheme,
        reference=ReferenceArm(arm=name, runs=_names(reference), covariates=covariates[0]),
        arms=tuple(
            ArmComparison(
                **dict(arm.comparison),
                arm=arm.name,
                role=arm.role,
                runs=_names(arm.runs),
                holm=Holm(prompt_test=by_prompt.get(arm.name), fold_test=by_fold.get(arm.name)),
                mixed_model=effect,
                covariates=follows,
            )
            for arm, effect, follows in zip(arms, effects, covariates[1:], strict=True)
        ),
        statistics=missing,
    )


def compare_candidates(
    reference: RunRecord, candidates: Sequence[RunRecord], plan: GatePlan
) -> CandidatesRecord:
    """Return each candidate judged against the reference by a plan, without a register.

    Raises EvidenceError where a run does not compare, InputError for a candidate that is there
    twice.
    """
    names = _names(candidates)
    if len(set(names)) < len(names):
        raise InputError("a candidate is there twice", mend="name each run folder once")
    judged = [judge_runs(reference, run, plan) for run in candidates]
    arms = [
        ComparedArm(name, "candidate", [run], result.comparison)
        for name, run, result in zip(names, candidates, judged, strict=True)
    ]
    return CandidatesRecord(
        question=plan.question,
        plan=plan.name,
        plan_sha256=plan.sha256,
        reference=reference.folder.name,
        candidates=names,
        gates=tuple(
            judged_gate(name, [run], result)
            for name, run, result in zip(names, candidates, judged, strict=True)
        ),
        comparisons=(comparison_record(reference.folder.name, [reference], arms),),
    )


def judged_gate(
    arm: str,
    runs: Sequence[RunRecord],
    judgement: Judgement,
    evidence: Mapping[str, Sequence[Demand]] | None = None,
) -> Gate:
    """Return the gate of an arm that a plan gave a verdict on."""
    plan, verdict = judgement.plan, judgement.verdict
    return Gate(
        arm=arm,
        plan=plan.name,
        plan_sha256=plan.sha256,
        scheme=plan.scheme,
        rule=plan.rule,
        verdict=verdict.outcome,
        reason=None,
        checks=verdict.findings,
        differences=judgement.differences,
        candidate_runs=_names(runs),
        evidence={name: tuple(answers) for name, answers in (evidence or {}).items()},
    )


def invalid_gate(arm: str, folders: Sequence[str], plan: GatePlan, reason: str) -> Gate:
    """Return the gate of an arm whose run folders, by name, are no valid evidence."""
    return Gate(
        arm=arm,
        plan=plan.name,
        plan_sha256=plan.sha256,
        scheme=plan.scheme,
        rule=plan.rule,
        verdict="invalid",
        reason=reason,
        checks=(),
        candidate_runs=tuple(folders),
    )


def _p(test: object) -> float | None:
    """Return a test's p-value, None where there is no test or it has none."""
    p: float | None = getattr(test, "p", None)
    return p


def _covariates(run: RunRecord) -> Covariates:
    """Return what a run's residuals follow."""
    return tuple(covariate_effects(run.predictions, run.covariates))


def _names(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    return tuple(run.folder.name for run in runs)
