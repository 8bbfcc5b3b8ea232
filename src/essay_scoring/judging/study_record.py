"""study.json: what a study asked, ran and decided, put together."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from essay_scoring.judging.arm_standing import luck_of, tied_arms
from essay_scoring.judging.checklist import checklist
from essay_scoring.judging.comparison_record import comparison_record
from essay_scoring.judging.study_arms import ArmRunner
from essay_scoring.judging.study_gates import Gatekeeper
from essay_scoring.judging.study_outcomes import Conclusion
from essay_scoring.judging.study_plan import Study
from essay_scoring.records import provenance
from essay_scoring.records.judgements import SchemeComparison
from essay_scoring.records.search import TuningRecord
from essay_scoring.records.study_results import (
    ArmEnding,
    ChecklistItem,
    PlanInForce,
    StudyRecord,
)


@dataclass
class StudyState:
    """A study under way: arms by name as they ended, plans in force, the tuning."""

    ended: dict[str, ArmEnding] = field(default_factory=dict)
    plans: list[PlanInForce] = field(default_factory=list)
    tuning: TuningRecord | None = None


def study_record(
    folder: str,
    study: Study,
    arms: ArmRunner,
    keeper: Gatekeeper,
    state: StudyState,
    conclusion: Conclusion,
) -> StudyRecord:
    """Return the record of the study folder so named."""
    reference, main = study.settings.reference.name, study.schemes[0]
    comparisons = tuple(
        comparison_record(reference, arms.runs[reference, scheme], compared)
        for scheme, compared in keeper.compared.items()
    )
    candidates = {
        name: arms.runs[name, main]
        for name, arm in state.ended.items()
        if arm.role == "candidate" and (name, main) in arms.runs
    }
    plan = study.distinct_plans[0]
    return StudyRecord(
        folder=folder,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        name=study.settings.name,
        question=study.settings.question,
        outcome=conclusion.outcome,
        reason=conclusion.reason,
        decided_arm=conclusion.arm,
        decided_run=arms.runs[conclusion.arm, main][0].folder.name,
        tuning=state.tuning,
        data=arms.runs[reference, main][0].metrics.data,
        plans=tuple(state.plans),
        arms=tuple(state.ended.values()),
        runs=tuple(arms.rows),
        gates=tuple(keeper.gates),
        comparisons=comparisons,
        luck=luck_of(conclusion.arm, candidates, plan),
        tied=tied_arms({reference: arms.runs[reference, main], **candidates}, plan),
        attempts=keeper.attempts(study.distinct_plans, [reference, *state.ended]),
        checklist=_checklist(study, arms, comparisons, conclusion),
        code_revision=provenance.code_revision(),
        judge_revision=provenance.judge_revision(),
        git=provenance.git_state(),
        machine=provenance.machine(),
        versions=provenance.package_versions(),
    )


def _checklist(
    study: Study,
    arms: ArmRunner,
    comparisons: Sequence[SchemeComparison],
    conclusion: Conclusion,
) -> tuple[ChecklistItem, ...]:
    """Return the review checklist, of the main scheme."""
    reference, main = study.settings.reference.name, study.schemes[0]
    others = {
        name: runs
        for (name, scheme), runs in arms.runs.items()
        if scheme == main and name != reference
    }
    judged = [
        arm
        for compared in comparisons
        if compared.scheme == main
        for arm in compared.arms
        if arm.role != "context"
    ]
    recommendation = f"{conclusion.outcome}, '{conclusion.arm}'"
    return tuple(checklist(arms.runs[reference, main], others, judged, recommendation))
