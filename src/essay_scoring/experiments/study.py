"""`study`: run what is missing, judge in order, record a decision."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from essay_scoring.core.errors import EvidenceError, NotFiniteError
from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.data.splits import Scheme
from essay_scoring.evaluation.plans import GatePlan
from essay_scoring.experiments import provenance
from essay_scoring.experiments.compare_runs import RunRecord, judge_runs, read_run
from essay_scoring.experiments.config import config_values
from essay_scoring.experiments.cv import WriteReports, run_cv
from essay_scoring.experiments.manifest import is_complete
from essay_scoring.experiments.run import open_run
from essay_scoring.experiments.session import Session, session
from essay_scoring.experiments.study_plan import Arm, Candidate, Study
from essay_scoring.experiments.workspace import Workspace

Outcome = Literal["proceed", "defer", "inconclusive"]
Role = Literal["reference", "candidate", "context"]


@dataclass(frozen=True)
class Reporters:
    """Who writes the pages of a run folder and of a study folder."""

    run: WriteReports
    study: Callable[[Path], object]


class StudyRunner:
    """Runs the arms of a study and keeps what it finds, in the order of the study file."""

    def __init__(
        self,
        study: Study,
        workspace: Workspace,
        progress: Progress,
        *,
        reporters: Reporters,
        resume: str,
    ) -> None:
        self._study, self._workspace = study, workspace
        self._progress, self._reporters, self._resume = progress, reporters, resume
        self._runs: dict[tuple[str, Scheme], RunRecord] = {}
        self._rows: list[dict[str, Any]] = []
        self._gates: list[dict[str, Any]] = []

    def run(self) -> Path:
        """Return the complete study folder, doing only what is not done yet."""
        folder = self._folder()
        if is_complete(folder):
            return folder
        with session(folder, self._resume, self._progress) as opened:
            write_json(folder / "config.json", self._identity())
            self._run_all(opened)
            write_json(folder / "study.json", self._record())
            opened.stage("reports")
            self._reporters.study(folder)
        return folder

    def _run_all(self, opened: Session) -> None:
        settings, schemes = self._study.settings, self._study.schemes
        for scheme in schemes:
            self._run_arm(settings.reference, "reference", scheme, opened)
        for arm in settings.context:
            self._run_arm(arm, "context", schemes[0], opened)
        for candidate in settings.candidates:
            # Every gate is judged, also after one failed: the record shows all of the evidence.
            passed = [self._judge(candidate, plan, opened) for plan in self._plans(candidate)]
            if all(passed) and settings.stop_after_pass:
                break

    def _judge(self, candidate: Candidate, plan: GatePlan, opened: Session) -> bool:
        """Judge a candidate by one plan, record the verdict, and tell whether it passed."""
        gate = {
            "arm": candidate.name,
            "plan": plan.name,
            "plan_sha256": plan.sha256,
            "scheme": plan.scheme,
            "rule": plan.rule,
        }
        try:
            run = self._run_arm(candidate, "candidate", plan.scheme, opened)
            reference = self._runs[self._study.settings.reference.name, plan.scheme]
            judgement = judge_runs(reference, run, plan)
        except (EvidenceError, NotFiniteError) as error:
            self._gates.append({**gate, "verdict": "invalid", "reason": error.line()})
            return False
        self._gates.append(
            {
                **gate,
                "verdict": judgement.verdict.outcome,
                "candidate_run": run.folder.name,
                "reference_run": reference.folder.name,
                "checks": judgement.verdict.to_json()["findings"],
                "comparison": judgement.comparison.to_json(),
            }
        )
        return judgement.verdict.outcome == "pass"

    def _run_arm(self, arm: Arm, role: Role, scheme: Scheme, opened: Session) -> RunRecord:
        """Return an arm's finished run under a scheme, running it if it is missing."""
        if (arm.name, scheme) in self._runs:
            return self._runs[arm.name, scheme]
        opened.stage(f"{role} {arm.name}, {scheme}")
        folder = run_cv(
            self._study.config(arm, scheme),
            self._workspace,
            self._progress,
            report=self._reporters.run,
            resume=self._resume,
        )
        run = self._runs[arm.name, scheme] = read_run(folder)
        self._rows.append(
            {
                "arm": arm.name,
                "role": role,
                "scheme": scheme,
                "run": folder.name,
                "manifest_sha256": run.manifest_sha256,
                "family": run.metrics["family"],
                "mapping": run.metrics["mapping"],
                "summary": run.metrics["summary"],
                "baselines": run.metrics["baselines"] if role == "reference" else {},
                "seconds": sum(fit["seconds"] for fit in run.metrics["fits"]),
            }
        )
        return run

    def _plans(self, candidate: Candidate) -> tuple[GatePlan, ...]:
        return self._study.plans[candidate.name]

    def _record(self) -> dict[str, Any]:
        """Return study.json: what was asked, run, found and decided."""
        settings = self._study.settings
        outcome, decided, reason = decide(
            settings.reference.name, [arm.name for arm in settings.candidates], self._gates
        )
        scheme = self._study.schemes[0]
        decided_run = self._runs.get((decided, scheme))
        return {
            "schema": 1,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "name": settings.name,
            "question": settings.question,
            "outcome": outcome,
            "reason": reason,
            "decided_arm": decided,
            "decided_run": decided_run.folder.name if decided_run else None,
            "data": self._runs[settings.reference.name, scheme].metrics["data"],
            "runs": self._rows,
            "gates": self._gates,
            "code_revision": provenance.code_revision(),
            "git": provenance.git_state(),
            "machine": provenance.machine(),
            "versions": provenance.package_versions(),
        }

    def _identity(self) -> dict[str, Any]:
        """Return what the study is: its settings, its arms' configs and its plans' hashes."""
        study = self._study
        arms: tuple[Arm, ...] = (
            study.settings.reference,
            *study.settings.candidates,
            *study.settings.context,
        )
        return {
            "study": study.settings.model_dump(mode="json"),
            "configs": {a.name: config_values(study.config(a, study.schemes[0])) for a in arms},
            "plans": {name: [plan.sha256 for plan in plans] for name, plans in study.plans.items()},
        }

    def _folder(self) -> Path:
        """Return the study's folder, named by everything its decision depends on."""
        study = self._study
        config = study.config(study.settings.reference, study.schemes[0])
        run = open_run(config, self._workspace, self._progress)
        identity = {
            **self._identity(),
            "data": run.prepared.data_sha256,
            "splits": run.splits.sha256,
            "code": provenance.code_revision(),
        }
        name = f"{study.settings.name}-{fingerprint(identity)[:12]}"
        return self._workspace.runs / "studies" / name


def decide(
    reference: str, candidates: list[str], gates: list[dict[str, Any]]
) -> tuple[Outcome, str, str]:
    """Return the outcome, the arm it decides for, and the reason in one sentence.

    Proceed with the first candidate whose every gate passed. Otherwise the reference stays: the
    outcome is inconclusive where evidence was invalid or undecided for a candidate that failed no
    gate, and defer where every judged candidate failed one.
    """
    open_arms = []
    for arm in candidates:
        verdicts = [gate["verdict"] for gate in gates if gate["arm"] == arm]
        if verdicts and all(verdict == "pass" for verdict in verdicts):
            passed = f"'{arm}' passed every gate against '{reference}'."
            return "proceed", arm, f"{passed}{_caution(arm, gates)}"
        if "fail" not in verdicts:
            open_arms.append(arm)
    if open_arms:
        names = ", ".join(f"'{arm}'" for arm in open_arms)
        return "inconclusive", reference, f"The evidence on {names} is invalid or undecided."
    failed = ", ".join(f"'{arm}'" for arm in candidates)
    return "defer", reference, f"No justified uplift over '{reference}': {failed} failed a gate."


def _caution(arm: str, gates: list[dict[str, Any]]) -> str:
    """Return a sentence on the arm's checks whose interval holds their threshold, if any does."""
    checks = [check for gate in gates if gate["arm"] == arm for check in gate["checks"]]
    noisy = sum(check["within_noise"] for check in checks)
    if not noisy:
        return ""
    return (
        f" But {noisy} of {len(checks)} thresholds lie inside the 95% interval of their delta: "
        "on this evidence the point rule could as well have said otherwise."
    )
