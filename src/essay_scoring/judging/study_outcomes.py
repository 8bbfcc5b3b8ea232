"""How the arms of a study end, which may run after them, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from essay_scoring.core.number_text import held, number
from essay_scoring.judging.study_plan import Candidate, Conditional
from essay_scoring.records.judgements import CheckResult, Decision, Gate
from essay_scoring.records.study_results import ArmEnding, Ending


@dataclass(frozen=True)
class Conclusion:
    """What a study concludes: the outcome, the arm it decides for, and the reason in words."""

    outcome: Decision
    arm: str
    reason: str


def ending_of(verdicts: Sequence[str], unstable: str | None) -> Ending:
    """Return how a candidate ended, from the verdicts of its gates.

    A missed threshold is a fail whatever else happened. An arm whose seeds differ by more than the
    study tolerates, or whose numbers were not finite, is unstable, and so never passes.
    """
    if "fail" in verdicts:
        return "fail"
    if unstable is not None:
        return "unstable"
    if "invalid" in verdicts or not verdicts:
        return "invalid"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def why_not(
    arm: Conditional, ended: Mapping[str, Ending], *, stop_after_pass: bool = True
) -> str | None:
    """Return why an arm may not run, given how the candidates before it ended; None if it may.

    Its conditions must hold. A candidate, besides, never passes over an earlier one that has no
    valid result, unless its conditions say in so many words that it may.
    """
    for name, endings in arm.runs_if.items():
        if ended[name] not in endings:
            return f"'{name}' ended as {_words(ended[name])}, not as {_alternatives(endings)}"
    if not isinstance(arm, Candidate):
        return None
    for name, ending in ended.items():
        if ending == "invalid" and name not in arm.runs_if:
            return f"'{name}', which comes before it, has no valid result"
        if ending == "pass" and stop_after_pass and not arm.runs_if:
            return f"'{name}' passed"
    return None


def astray(mean_qwk: Sequence[float | None], tolerance: float | None) -> str | None:
    """Return how far the mean QWK of an arm's seeds lies apart, None where it is tolerated."""
    known = [value for value in mean_qwk if value is not None]
    if len(known) < len(mean_qwk):
        return "a seed has no mean QWK"
    if tolerance is None or len(known) < 2 or max(known) - min(known) <= tolerance:
        return None
    apart = held(max(known) - min(known), tolerance)
    return (
        f"mean QWK goes from {number(min(known))} to {number(max(known))} over {len(known)} seeds, "
        f"{apart} apart, more than {tolerance:g}"
    )


def decide(reference: str, arms: Sequence[ArmEnding], gates: Sequence[Gate]) -> Conclusion:
    """Return what follows from how the judged arms ended, in their order.

    Proceed with the first candidate that passed. Otherwise the reference stays: inconclusive where
    a candidate was unstable, invalid or undecided, and defer where every one that ran failed.
    """
    ran = [arm for arm in arms if arm.role == "candidate" and arm.ending != "not_run"]
    for arm in ran:
        if arm.ending == "pass":
            passed = f"'{arm.arm}' passed every gate against '{reference}'."
            return Conclusion("proceed", arm.arm, f"{passed}{_caution(arm.arm, gates)}")
    if still_open := [arm for arm in ran if arm.ending != "fail"]:
        names = ", ".join(f"'{arm.arm}' ({_words(arm.ending)})" for arm in still_open)
        return Conclusion("inconclusive", reference, f"Nothing is decided on {names}.")
    failed = ", ".join(f"'{arm.arm}'" for arm in ran)
    return Conclusion(
        "defer", reference, f"No justified uplift over '{reference}': {failed} failed a gate."
    )


def after_tuning(first: Conclusion, tuned: ArmEnding | None, gates: Sequence[Gate]) -> Conclusion:
    """Return a decision to proceed with the tuned arm in place of the one it was tuned from.

    Only where it passed the same gates, and is no worse than that one on the first figure they ask
    about: what was tuned and gained nothing is not worth having been selected. None: no trial kept
    the search's guardrails.
    """
    if tuned is None:
        why = "no trial kept the guardrails of the search"
    elif tuned.ending != "pass":
        why = f"'{tuned.arm}' ended as {_words(tuned.ending)}"
    else:
        lead, other = (_lead(gates, name) for name in (first.arm, tuned.arm))
        if other.candidate >= lead.candidate:
            reason = f"{first.reason} '{tuned.arm}' passed them too, and is decided for."
            return Conclusion("proceed", tuned.arm, f"{reason}{_caution(tuned.arm, gates)}")
        why = f"'{tuned.arm}' is worse in {lead.metric}"
    return Conclusion("proceed", first.arm, f"{first.reason} Tuning changes nothing: {why}.")


def _lead(gates: Sequence[Gate], arm: str) -> CheckResult:
    """Return the first check of an arm's first gate."""
    return next(gate for gate in gates if gate.arm == arm).checks[0]


def _caution(arm: str, gates: Sequence[Gate]) -> str:
    """Return a sentence on the arm's checks whose interval holds their threshold, if any does."""
    checks = [check for gate in gates if gate.arm == arm for check in gate.checks]
    noisy = sum(check.within_noise for check in checks)
    if not noisy:
        return ""
    return (
        f" But {noisy} of {len(checks)} thresholds lie inside the 95% interval of their delta: "
        "on this evidence the point rule could as well have said otherwise."
    )


def _words(ending: Ending | None) -> str:
    return str(ending).replace("_", " ")


def _alternatives(endings: Sequence[Ending]) -> str:
    return " or ".join(_words(ending) for ending in endings)
