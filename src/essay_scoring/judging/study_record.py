"""study.json: what a study asked, ran, found and decided."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from essay_scoring.judging.checklist import checklist
from essay_scoring.judging.comparison_record import comparison_record
from essay_scoring.judging.study_arms import ArmRunner
from essay_scoring.judging.study_gates import Gatekeeper
from essay_scoring.judging.study_outcomes import ArmRecord, Decision
from essay_scoring.judging.study_plan import Study
from essay_scoring.records import provenance


@dataclass
class Findings:
    """What a study has found so far: arms by name as they ended, plans in force, the tuning."""

    ended: dict[str, ArmRecord] = field(default_factory=dict)
    plans: list[dict[str, Any]] = field(default_factory=list)
    tuning: dict[str, Any] | None = None


def study_record(
    folder: str,
    study: Study,
    arms: ArmRunner,
    keeper: Gatekeeper,
    findings: Findings,
    decision: Decision,
) -> dict[str, Any]:
    """Return study.json of the study folder so named."""
    reference, main = study.settings.reference.name, study.schemes[0]
    comparisons = _comparisons(reference, arms, keeper)
    decided = arms.runs[decision.arm, main][0]
    return {
        "schema": 2,
        "folder": folder,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "name": study.settings.name,
        "question": study.settings.question,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "decided_arm": decision.arm,
        "decided_run": decided.folder.name,
        "tuning": findings.tuning,
        "data": arms.runs[reference, main][0].metrics.data.model_dump(),
        "plans": findings.plans,
        "arms": [arm.to_json() for arm in findings.ended.values()],
        "runs": arms.rows,
        "gates": keeper.gates,
        "comparisons": comparisons,
        "attempts": keeper.attempts(study.distinct_plans, _names(study, findings)),
        "checklist": _checklist(study, arms, comparisons, decision),
        "code_revision": provenance.code_revision(),
        "git": provenance.git_state().model_dump(),
        "machine": provenance.machine().model_dump(),
        "versions": provenance.package_versions(),
    }


def _comparisons(reference: str, arms: ArmRunner, keeper: Gatekeeper) -> list[dict[str, Any]]:
    """Return what was compared, one record for each scheme."""
    return [
        comparison_record(reference, arms.runs[reference, scheme], compared)
        for scheme, compared in keeper.compared.items()
    ]


def _names(study: Study, findings: Findings) -> Sequence[str]:
    """Return the names that runs of the study may have."""
    return [study.settings.reference.name, *findings.ended]


def _checklist(
    study: Study, arms: ArmRunner, comparisons: Sequence[dict[str, Any]], decision: Decision
) -> list[dict[str, Any]]:
    """Return the review checklist, of the main scheme."""
    reference, main = study.settings.reference.name, study.schemes[0]
    others = {
        name: runs
        for (name, scheme), runs in arms.runs.items()
        if scheme == main and name != reference
    }
    judged = [
        arm
        for one in comparisons
        if one["scheme"] == main
        for arm in one["arms"]
        if arm["role"] != "context"
    ]
    recommendation = f"{decision.outcome}, '{decision.arm}'"
    boxes = checklist(arms.runs[reference, main], others, judged, recommendation)
    return [box.to_json() for box in boxes]
