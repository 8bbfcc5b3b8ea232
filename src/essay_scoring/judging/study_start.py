"""What a study does between its reference and its candidates: register plans, say their power."""

from __future__ import annotations

from collections.abc import Sequence

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.progress import Progress
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.power import PowerSettings, known_power
from essay_scoring.judging.register import register_of, register_plan
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.study_results import PlanInForce
from essay_scoring.records.workspace import Workspace

NOT_SIMULATED = "Power was not simulated: the study file asks for no simulations."


def put_in_force(
    plan: GatePlan,
    reference: Sequence[RunRecord],
    workspace: Workspace,
    progress: Progress,
    simulations: int | None,
) -> PlanInForce:
    """Register a plan with its reference's runs, and return it with what it can detect.

    Raises EvidenceError where the reference cannot be judged against under the plan.
    """
    try:
        registration = register_plan(plan, reference, register_of(workspace))
    except EvidenceError as error:
        mend = error.mend or "commit what changed, delete the run folder, and run the study again"
        raise EvidenceError(error.what, where=error.where, mend=mend) from None
    return PlanInForce(
        name=plan.name,
        sha256=plan.sha256,
        frozen=plan.frozen(),
        registered=registration,
        power=_power_line(plan, reference[0], workspace, progress, simulations),
    )


def _power_line(
    plan: GatePlan,
    reference: RunRecord,
    workspace: Workspace,
    progress: Progress,
    simulations: int | None,
) -> str:
    """Return in one line what a plan can tell on a reference's data, known or simulated now."""
    if simulations == 0:
        return NOT_SIMULATED
    settings = PowerSettings(simulations)
    try:
        record = known_power(plan, reference, workspace.cache, progress, settings=settings)
    except EvidenceError as error:
        return f"Power is unknown: {error.line()}."
    return record.conclusion
