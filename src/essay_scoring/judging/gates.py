"""A comparison judged by a gate plan."""

from __future__ import annotations

from collections.abc import Sequence

from essay_scoring.core.errors import EvidenceError
from essay_scoring.judging.plans import Check, GatePlan
from essay_scoring.records.judgements import CheckResult, Decision, Outcome, Result, Verdict
from essay_scoring.statistics.comparison import Comparison, Delta

DECISIONS: dict[Outcome, Decision] = {
    "pass": "proceed",
    "fail": "defer",
    "inconclusive": "inconclusive",
}
"""What follows for the candidate from how its gate ended."""

TOLERANCE = 1e-12
"""A delta may miss its threshold by this much: 0.700 - 0.690 falls short of 0.010 by rounding."""


def judge(plan: GatePlan, comparison: Comparison, constant: Sequence[str] = ()) -> Verdict:
    """Return the verdict of a plan on a comparison made with the plan's slices.

    `point`: a check passes where delta >= threshold. `interval`: it passes where the whole 95%
    interval lies at or above the threshold, fails where all of it lies below, and is undecided
    otherwise; superiority must lie strictly above, so that no run is superior to itself, while a
    guardrail is a test of non-inferiority, which a run that equals its reference passes. Raises
    EvidenceError where a check has no delta, or no interval under the rule `interval`: what was
    not measured can neither pass nor fail. It names the prompts that are `constant`, scored alike
    throughout.
    """
    asked = (plan.min_prompt_n, plan.bottom_k)
    if asked != (comparison.min_prompt_n, comparison.bottom_k):
        raise EvidenceError(
            f"the comparison was made with min_prompt_n {comparison.min_prompt_n} and bottom_k "
            f"{comparison.bottom_k}, the plan asks for {plan.min_prompt_n} and {plan.bottom_k}",
            where=f"gate {plan.name}",
        )
    results = tuple(_check_result(plan, check, comparison, constant) for check in plan.checks)
    outcome = _outcome([check.result for check in results])
    return Verdict(
        plan=plan.name,
        plan_sha256=plan.sha256,
        rule=plan.rule,
        outcome=outcome,
        decision=DECISIONS[outcome],
        findings=results,
    )


def _check_result(
    plan: GatePlan, check: Check, comparison: Comparison, constant: Sequence[str]
) -> CheckResult:
    """Return the answer of a comparison to one check."""
    delta = comparison.deltas.get(check.metric)
    if delta is None:
        raise _unmeasured(plan, check, "needs essays with a second rating, and there are none")
    if delta.estimate is None or delta.reference is None or delta.candidate is None:
        named = ", ".join(repr(name[:40]) for name in constant[:5])
        why = f"one score throughout the prompts {named}" if constant else "an empty slice"
        raise _unmeasured(plan, check, f"has no value in one of the runs ({why})")
    return CheckResult(
        metric=check.metric,
        kind=check.kind,
        threshold=check.delta_at_least,
        reference=delta.reference,
        candidate=delta.candidate,
        delta=delta.estimate,
        low=delta.low,
        high=delta.high,
        n=delta.n,
        share_at_least=delta.share_at_least(check.delta_at_least),
        result=_result(plan, check, delta),
        within_noise=(
            delta.low is not None
            and delta.high is not None
            and delta.low < check.delta_at_least < delta.high
        ),
    )


def _result(plan: GatePlan, check: Check, delta: Delta) -> Result:
    """Return the result of one check whose delta is known."""
    bar = check.delta_at_least - TOLERANCE
    if plan.rule == "point":
        return "passed" if delta.estimate is not None and delta.estimate >= bar else "failed"
    if delta.low is None or delta.high is None:
        raise _unmeasured(plan, check, "has no interval (too few prompts: it takes 6)")
    if check.kind == "superiority":
        bar = check.delta_at_least + TOLERANCE
    if delta.low >= bar:
        return "passed"
    return "failed" if delta.high < bar else "undecided"


def _outcome(results: Sequence[Result]) -> Outcome:
    """Return the outcome of all checks together."""
    if "failed" in results:
        return "fail"
    return "pass" if results and all(result == "passed" for result in results) else "inconclusive"


def _unmeasured(plan: GatePlan, check: Check, why: str) -> EvidenceError:
    """Return the error for a check that the evidence cannot answer."""
    return EvidenceError(
        f"{check.metric} {why}",
        where=f"gate {plan.name}",
        mend="give both runs essays in that slice, or write another plan",
    )
