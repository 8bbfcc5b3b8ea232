"""`register` and `judge`: a plan written down first, then candidates judged by it and nothing else.

`compare-cv-runs` judges by the same plans, but asks neither when the plan was written nor how the
runs were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from essay_scoring.judging.compare_runs import Judgement, judge_runs, require_comparable
from essay_scoring.judging.evidence import Demand, admit, demands, require_rules
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.register import (
    Registration,
    register_plan,
    registration_for,
    registrations,
    require_started_after,
)
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.workspace import Workspace


@dataclass(frozen=True)
class RegisteredJudgement:
    """A judgement that stands on a registered plan and on runs that were admitted as evidence.

    `demands` are the evidence rules as each run of the candidate met them, by run folder name.
    """

    judgement: Judgement
    registration: Registration
    reference: tuple[RunRecord, ...]
    candidate: tuple[RunRecord, ...]
    demands: dict[str, list[Demand]]

    def to_json(self) -> dict[str, Any]:
        """Return the judgement as a JSON-able dictionary."""
        arms = {"reference": self.reference, "candidate": self.candidate}
        return {
            **judgement_record(self.judgement, self.registration),
            **{role: [run.folder.name for run in runs] for role, runs in arms.items()},
            "manifests": {
                run.folder.name: run.manifest_sha256 for runs in arms.values() for run in runs
            },
            "evidence": {
                name: [one.model_dump() for one in met] for name, met in self.demands.items()
            },
        }


def register_with_runs(
    plan: GatePlan, reference: Sequence[Path], workspace: Workspace
) -> Registration:
    """Return a plan's registration on the data and splits of its reference's run folders."""
    attempts = Ledger(workspace.attempts)
    runs = [admit(folder, plan, attempts) for folder in reference]
    return register_plan(plan, runs, Ledger(workspace.register))


def judge_registered(
    plan: GatePlan, reference: Sequence[Path], candidate: Sequence[Path], workspace: Workspace
) -> RegisteredJudgement:
    """Return a registered plan's verdict on a candidate, each arm one run folder or more (seeds).

    Raises EvidenceError where the plan is not registered as it stands, the runs do not compare, a
    candidate started before the registration, or a run is no valid evidence; only the last marks
    that run in the ledger of attempts, and so it is looked for last.
    """
    registered = registrations(plan, Ledger(workspace.register))
    attempts = Ledger(workspace.attempts)
    references, candidates = (
        tuple(admit(folder, plan, attempts) for folder in folders)
        for folders in (reference, candidate)
    )
    require_comparable(references, candidates, plan)
    standing = [registration_for(run, plan, registered) for run in (*candidates, *references)]
    for run, registration in zip(candidates, standing, strict=False):
        require_started_after(run, plan, registration)
    for run in candidates:
        require_rules(run, plan, attempts)
    return RegisteredJudgement(
        judgement=judge_runs(references, candidates, plan),
        registration=standing[0],
        reference=references,
        candidate=candidates,
        demands={run.folder.name: demands(plan.evidence, run) for run in candidates},
    )


def judgement_record(judgement: Judgement, registration: Registration | None) -> dict[str, Any]:
    """Return what a judgement says as a JSON-able dictionary; unregistered ones say so by None."""
    return {
        "plan": judgement.plan.name,
        "plan_sha256": judgement.plan.sha256,
        "scheme": judgement.plan.scheme,
        "registered": None if registration is None else asdict(registration),
        "verdict": judgement.verdict.to_json(),
        "comparison": judgement.comparison.to_json(),
    }
