"""`register` and `judge`: a plan written down first, then candidates judged by it and nothing else.

`compare-cv-runs` judges by the same plans, but asks neither when the plan was written nor how the
runs were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.judging.attempts import attempts_of
from essay_scoring.judging.compare_runs import Judgement, judge_runs, require_comparable
from essay_scoring.judging.comparison_record import ComparedArm, comparison_record, judged_gate
from essay_scoring.judging.evidence import admit, demands, require_admissible, require_rules
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.register import (
    register_of,
    register_plan,
    registration_for,
    registrations,
    require_said,
    require_started_after,
)
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import Gate, JudgementRecord, Registration
from essay_scoring.records.workspace import Workspace


@dataclass(frozen=True)
class RegisteredJudgement:
    """A judgement that stands on a registered plan and on runs that were admitted as evidence."""

    judgement: Judgement
    registration: Registration
    reference: tuple[RunRecord, ...]
    candidate: tuple[RunRecord, ...]

    def gate(self, arm: str) -> Gate:
        """Return the gate of the candidate, called `arm`, with its answers to evidence rules."""
        rules = self.judgement.plan.evidence
        answers = {run.folder.name: demands(rules, run) for run in self.candidate}
        return judged_gate(arm, self.candidate, self.judgement, answers)

    def record(self) -> JudgementRecord:
        """Return what `judge` writes; each arm is called by its first run folder."""
        reference, name = (arm[0].folder.name for arm in (self.reference, self.candidate))
        arm = ComparedArm(name, "candidate", self.candidate, self.judgement.comparison)
        return JudgementRecord(
            question=self.judgement.plan.question,
            registered=self.registration,
            gates=(self.gate(name),),
            comparisons=(comparison_record(reference, self.reference, [arm]),),
            manifests={
                run.folder.name: run.manifest_sha256 for run in (*self.reference, *self.candidate)
            },
        )


def register_with_runs(
    plan: GatePlan,
    reference: Sequence[Path],
    workspace: Workspace,
    *,
    results_seen: bool | None = None,
) -> Registration:
    """Return a plan's registration on the data and splits of its reference's run folders.

    Raises EvidenceError for an amendment of which is not said whether results had been seen.
    """
    register = register_of(workspace)
    require_said(plan, register, results_seen)
    runs = _admitted(plan, reference, workspace)
    return register_plan(plan, runs, register, results_seen=results_seen)


def judge_folders(
    plan: GatePlan, reference: Sequence[Path], candidate: Sequence[Path], workspace: Workspace
) -> RegisteredJudgement:
    """Return `judge_registered` of run folders, each read once.

    A run that failed or was changed is marked, but only under a plan that is registered.
    """
    registrations(plan, register_of(workspace))
    runs = (_admitted(plan, folders, workspace) for folders in (reference, candidate))
    return judge_registered(plan, next(runs), next(runs), workspace)


def judge_registered(
    plan: GatePlan,
    reference: Sequence[RunRecord],
    candidate: Sequence[RunRecord],
    workspace: Workspace,
) -> RegisteredJudgement:
    """Return a registered plan's verdict on a candidate, each arm one run or more (seeds).

    Raises EvidenceError where the plan is not registered as it stands, the runs do not compare, a
    candidate started before the registration, or a run is no valid evidence. A missed evidence
    rule marks the run in the ledger of attempts, and so it is asked last.
    """
    attempts = attempts_of(workspace)
    registered = registrations(plan, register_of(workspace))
    for run in (*reference, *candidate):
        require_admissible(run, plan, attempts)
    require_comparable(reference, candidate, plan)
    standing = [registration_for(run, plan, registered) for run in (*candidate, *reference)]
    for run, registration in zip(candidate, standing, strict=False):
        require_started_after(run, plan, registration)
    for run in candidate:
        require_rules(run, plan, attempts)
    return RegisteredJudgement(
        judgement=judge_runs(reference, candidate, plan),
        registration=standing[0],
        reference=tuple(reference),
        candidate=tuple(candidate),
    )


def _admitted(
    plan: GatePlan, folders: Sequence[Path], workspace: Workspace
) -> tuple[RunRecord, ...]:
    attempts = attempts_of(workspace)
    return tuple(admit(folder, plan, attempts) for folder in folders)
