"""Several arms against one reference as one record: deltas, tests, and what their errors follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.judging.compare_runs import judge_runs
from essay_scoring.judging.gates import Verdict
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.residuals import STEM, read_residuals
from essay_scoring.statistics.comparison import Comparison
from essay_scoring.statistics.covariate_regression import covariate_effects
from essay_scoring.statistics.hypothesis_tests import holm
from essay_scoring.statistics.mixed_model import arm_effect
from essay_scoring.statistics.predictions import Predictions

_TESTS = ("prompt_test", "fold_test")


@dataclass(frozen=True, eq=False)
class ComparedArm:
    """An arm's runs (one, or one for each seed) with its comparison to the reference."""

    name: str
    role: str
    runs: Sequence[RunRecord]
    comparison: Comparison


def comparison_record(
    name: str, reference: Sequence[RunRecord], arms: Sequence[ComparedArm]
) -> dict[str, Any]:
    """Return arms against the reference called `name`, all under one scheme, for JSON.

    Each arm has its comparison; p-values by test, Holm-adjusted over all arms but those of the
    role `context`; a mixed model of absolute error; and, like the reference, what the residuals of
    its first run follow. `statistics` is None, or how to install what the last two need.
    """
    adjusted = {test: holm(_p_values(arms, test)) for test in _TESTS}
    missing: str | None = None
    covariates: list[Any]
    effects: list[Any]
    try:
        covariates = [_covariates(runs[0]) for runs in (reference, *(arm.runs for arm in arms))]
        effects = [
            arm_effect(_predictions(reference), _predictions(arm.runs)).to_json() for arm in arms
        ]
    except MissingExtraError as error:
        missing = error.line()
        covariates, effects = [None] * (1 + len(arms)), [None] * len(arms)
    return {
        "scheme": reference[0].scheme,
        "reference": {"arm": name, "runs": _names(reference), "covariates": covariates[0]},
        "arms": [
            {
                "arm": arm.name,
                "role": arm.role,
                "runs": _names(arm.runs),
                **arm.comparison.to_json(),
                "holm": {test: adjusted[test].get(arm.name) for test in _TESTS},
                "mixed_model": effect,
                "covariates": own,
            }
            for arm, effect, own in zip(arms, effects, covariates[1:], strict=True)
        ],
        "statistics": missing,
    }


def compare_candidates(
    reference: RunRecord, candidates: Sequence[RunRecord], plan: GatePlan
) -> dict[str, Any]:
    """Return each candidate judged against the reference by a plan, without a register, for JSON.

    `gates` holds the verdicts, `comparisons` the one `comparison_record`, as in study.json. Raises
    EvidenceError where a run does not compare, InputError for a candidate that is there twice.
    """
    names = [run.folder.name for run in candidates]
    if len(set(names)) < len(names):
        raise InputError("a candidate is there twice", mend="name each run folder once")
    judged = [judge_runs(reference, run, plan) for run in candidates]
    arms = [
        ComparedArm(name, "candidate", [run], one.comparison)
        for name, run, one in zip(names, candidates, judged, strict=True)
    ]
    return {
        "schema": 1,
        "question": plan.question,
        "plan": plan.name,
        "plan_sha256": plan.sha256,
        "registered": None,
        "reference": reference.folder.name,
        "candidates": names,
        "gates": [
            gate_record(name, plan, one.verdict) for name, one in zip(names, judged, strict=True)
        ],
        "comparisons": [comparison_record(reference.folder.name, [reference], arms)],
    }


def gate_record(
    arm: str, plan: GatePlan, verdict: Verdict | None, reason: str | None = None
) -> dict[str, Any]:
    """Return an arm's verdict under a plan for JSON; without one the evidence was invalid."""
    return {
        "arm": arm,
        "plan": plan.name,
        "plan_sha256": plan.sha256,
        "scheme": plan.scheme,
        "rule": plan.rule,
        "verdict": "invalid" if verdict is None else verdict.outcome,
        "reason": reason,
        "checks": [] if verdict is None else verdict.to_json()["findings"],
    }


def _p_values(arms: Sequence[ComparedArm], test: str) -> dict[str, float | None]:
    """Return the p-value of each arm that is a candidate in a test, None where it has none."""
    found = {arm.name: getattr(arm.comparison, test) for arm in arms if arm.role != "context"}
    return {name: None if one is None else one.p for name, one in found.items()}


def _covariates(run: RunRecord) -> list[dict[str, Any]] | None:
    """Return what a run's residuals follow."""
    path = run.folder / "artifacts" / f"{STEM}.jsonl"
    measured = read_residuals(path, run.predictions.scales)
    return covariate_effects(measured.predictions, measured.covariates)


def _predictions(runs: Sequence[RunRecord]) -> list[Predictions]:
    return [run.predictions for run in runs]


def _names(runs: Sequence[RunRecord]) -> list[str]:
    return [run.folder.name for run in runs]
