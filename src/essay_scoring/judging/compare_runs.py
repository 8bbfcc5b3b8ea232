"""A candidate against a reference, each one run or several seeds of it, through a gate plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.judging.gates import judge
from essay_scoring.judging.identities import differences, require_tolerated
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import IdentityDifference, Verdict
from essay_scoring.statistics.comparison import Comparison, compare
from essay_scoring.statistics.slices import constant_prompts
from essay_scoring.statistics.threshold_free import PRMSE

_MUST_AGREE = {
    "data_sha256": "the prepared data",
    "splits_sha256": "the splits",
    "predictions_sha256": "the essays, folds or true scores",
}

_ABSENT = object()


@dataclass(frozen=True)
class Judgement:
    """A comparison, what the gate plan says of it, and in what else than settings arms differ."""

    plan: GatePlan
    comparison: Comparison
    verdict: Verdict
    differences: tuple[IdentityDifference, ...]


Arm = RunRecord | Sequence[RunRecord]
"""One run, or runs of one configuration that differ in their seed alone."""


def judge_runs(
    reference: Arm, candidate: Arm, plan: GatePlan, *, replicates: int = 2000
) -> Judgement:
    """Return the plan's verdict on a candidate; raise EvidenceError where runs do not compare."""
    require_comparable(reference, candidate, plan)
    comparison = compare_arms(reference, candidate, plan, replicates=replicates)
    unlike = differences(runs_of(reference), runs_of(candidate))
    predictions = runs_of(reference)[0].predictions
    constant = constant_prompts(predictions, plan.min_prompt_n)
    return Judgement(plan, comparison, judge(plan, comparison, constant), unlike)


def compare_arms(
    reference: Arm, candidate: Arm, plan: GatePlan, *, replicates: int = 2000
) -> Comparison:
    """Return the comparison that a plan judges by, of arms that are known to compare."""
    return compare(
        [run.predictions for run in runs_of(reference)],
        [run.predictions for run in runs_of(candidate)],
        min_prompt_n=plan.min_prompt_n,
        bottom_k=plan.bottom_k,
        replicates=replicates,
        seed=derive_seed(0, "comparison", plan.sha256),
    )


def runs_of(arm: Arm) -> list[RunRecord]:
    """Return the runs of an arm."""
    return [arm] if isinstance(arm, RunRecord) else list(arm)


def require_comparable(reference: Arm, candidate: Arm, plan: GatePlan) -> None:
    """Raise EvidenceError naming the first thing that makes runs incomparable under a plan."""
    for arm in (reference, candidate):
        runs = runs_of(arm)
        for run in runs:
            require_scheme(run, plan)
        _require_one_arm(runs)
    first, *others = runs_of(reference)
    for run in (first, *others):
        require_reference(run, plan)
    for run in (*others, *runs_of(candidate)):
        _require_same_data(first, run)
        if first.mapping != run.mapping:
            raise EvidenceError(
                f"mappings differ ({first.mapping}, {run.mapping})",
                where=f"{first.folder} and {run.folder}",
                mend="run both with the same training.mapping",
            )
    require_tolerated(runs_of(reference), runs_of(candidate), plan)


def require_scheme(run: RunRecord, plan: GatePlan) -> None:
    """Raise EvidenceError for a run of another scheme than the plan judges."""
    if run.scheme != plan.scheme:
        raise EvidenceError(
            f"scheme {run.scheme}, but the plan '{plan.name}' judges {plan.scheme}",
            where=str(run.folder),
            mend=f"run it with --scheme {plan.scheme}",
        )


def require_reference(run: RunRecord, plan: GatePlan) -> None:
    """Raise EvidenceError unless a run is what the plan says of its reference and asks of it."""
    if odd := _unlike(plan.reference, run.metrics.config):
        raise EvidenceError(
            f"not the reference that the plan '{plan.name}' is about ({', '.join(odd)} differ)",
            where=str(run.folder),
            mend="name a run of that reference, or write another plan",
        )
    asked = {check.metric for check in plan.checks}
    if PRMSE in asked and not run.predictions.has_second:
        raise EvidenceError(
            f"no essay has a second rating, which the plan '{plan.name}' needs for {PRMSE}",
            where=str(run.folder),
            mend="name the second rater's column in the data (second_score), or write another plan",
        )


def _require_one_arm(runs: Sequence[RunRecord]) -> None:
    """Raise EvidenceError unless runs differ in their seed, which each has of its own, alone."""
    first, *others = runs
    seeds = {first.metrics.config.get("seed")}
    for run in others:
        config, other = first.metrics.config, run.metrics.config
        odd = {*_unlike(config, other), *_unlike(other, config)} - {"seed", "name"}
        if first.metrics.code_revision != run.metrics.code_revision:
            odd.add("code_revision")
        if odd or other.get("seed") in seeds:
            how = f"these in {', '.join(sorted(odd))}" if odd else "these do not even in that"
            raise EvidenceError(
                f"runs of one arm differ in their seed alone, {how}",
                where=f"{first.folder} and {run.folder}",
                mend="name runs of one configuration, each with a seed of its own",
            )
        seeds.add(other.get("seed"))


def _unlike(asked: Mapping[str, Any], found: Mapping[str, Any], path: str = "") -> list[str]:
    """Return the full path of every key asked for whose value is another, or absent."""
    out: list[str] = []
    for key, value in asked.items():
        other = found.get(key, _ABSENT)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            out += _unlike(value, other, f"{path}{key}.")
        elif value != other:
            out.append(f"{path}{key}")
    return out


def _require_same_data(ours: RunRecord, theirs: RunRecord) -> None:
    for key, what in _MUST_AGREE.items():
        one, other = getattr(ours.metrics.data, key), getattr(theirs.metrics.data, key)
        # Imported predictions know neither data nor splits; their rows must still be the same.
        if one != other and one is not None and other is not None:
            raise EvidenceError(
                f"{what} differ ({key})",
                where=f"{ours.folder} and {theirs.folder}",
                mend="run both on the same data and splits",
            )
