"""How the fits of two arms differ in what they ran with: code, packages, processor, device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from essay_scoring.core.errors import EvidenceError
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import IdentityDifference, IdentityPart
from essay_scoring.records.provenance import numeric_versions
from essay_scoring.records.run_records import FitRow

Values = dict[IdentityPart, Callable[[FitRow], set[str]]]

_VALUES: Values = {
    "code": lambda fit: {one.code_revision[:12] for one in fit.environments},
    "versions": lambda fit: {
        f"{name} {version}"
        for one in fit.environments
        for name, version in numeric_versions(one.versions).items()
    },
    "processor": lambda fit: {
        f"{one.machine.processor} ({one.machine.instruction_set})" for one in fit.environments
    },
    "precision": lambda fit: set(fit.precisions),
    "device": lambda fit: {one.device for one in fit.environments},
}


def differences(
    reference: Sequence[RunRecord], candidate: Sequence[RunRecord]
) -> tuple[IdentityDifference, ...]:
    """Return in what the arms' fits differ besides settings; none for imported predictions.

    All fits of an arm count: one that was made otherwise is a difference.
    """
    arms = [[fit for run in arm for fit in run.metrics.fits] for arm in (reference, candidate)]
    if not all(arms):
        return ()
    return tuple(filter(None, (_difference(what, *arms) for what in get_args(IdentityPart))))


def require_tolerated(
    reference: Sequence[RunRecord], candidate: Sequence[RunRecord], plan: GatePlan
) -> None:
    """Raise EvidenceError for the first difference that a plan does not tolerate."""
    for difference in differences(reference, candidate):
        if difference.what not in plan.tolerates:
            raise EvidenceError(
                f"{difference.line()}, which the plan '{plan.name}' does not tolerate",
                where=f"{reference[0].folder} and {candidate[0].folder}",
                mend="run both alike, or judge by a plan that tolerates it",
            )


def _difference(
    what: IdentityPart, reference: Sequence[FitRow], candidate: Sequence[FitRow]
) -> IdentityDifference | None:
    """Return how two arms' fits differ in one part, only what is not common; None if they agree."""
    first, other = (set().union(*map(_VALUES[what], fits)) for fits in (reference, candidate))
    if first == other:
        return None
    own, others = sorted(first - other) or sorted(first), sorted(other - first) or sorted(other)
    return IdentityDifference(what=what, reference=", ".join(own), candidate=", ".join(others))
