"""`study`: run what is missing, judge in a strict order, record a decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.fingerprint import file_sha256, fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import read_record, write_record
from essay_scoring.judging.study_arms import ArmRunner, Planned
from essay_scoring.judging.study_gates import Gatekeeper
from essay_scoring.judging.study_outcomes import (
    Conclusion,
    after_tuning,
    decide,
    why_not,
)
from essay_scoring.judging.study_plan import Candidate, Study
from essay_scoring.judging.study_record import StudyState, study_record
from essay_scoring.judging.study_start import put_in_force
from essay_scoring.judging.tuning import Tune, tuning_round
from essay_scoring.records import provenance
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.manifest import MANIFEST, require_intact
from essay_scoring.records.study_results import STUDY, ArmEnding, Ending, StudyRecord
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import WriteReports
from essay_scoring.runs.run import open_run
from essay_scoring.runs.session import Session, finish


@dataclass(frozen=True)
class Outside:
    """What a study is given from above: who writes pages, who hears each plan's power, who tunes.

    `report_study` is given the study's folder and the run decided for. `say` is told before any
    candidate starts; `tune` runs a search and returns its folder.
    """

    report_run: WriteReports
    report_study: Callable[[Path, RunRecord], object]
    say: Callable[[str], None]
    tune: Tune


class StudyRunner:
    """Runs the arms of a study in the order of its file, and keeps the results.

    The data is prepared and loaded when the runner is made, and once: all arms share it.
    """

    def __init__(
        self,
        study: Study,
        workspace: Workspace,
        progress: Progress,
        *,
        outside: Outside,
        resume: str,
    ) -> None:
        self.study, self._workspace, self._progress = study, workspace, progress
        self._outside, self.resume = outside, resume
        config = study.config(study.settings.reference, study.schemes[0])
        self.arms = ArmRunner(open_run(config, workspace, progress), outside.report_run, resume)
        self._reference = Planned.of(study, study.settings.reference, "reference")
        tolerance = study.settings.seed_tolerance
        n_looks = len(study.settings.candidates) + len(study.searches)
        self._keeper = Gatekeeper(self.arms, self._reference, tolerance, n_looks)
        self._state = StudyState()

    def run(self) -> Path:
        """Return the complete study folder, doing only what is not done yet.

        A finished study stands while the runs it rests on do. One that met invalid evidence is
        judged again: the evidence may have been made anew. Raises EvidenceError where a file of a
        finished study, or of a run it rests on, was changed.
        """
        folder = self.folder

        def work(opened: Session) -> Path:
            self.study.write(folder / "config.json")
            opened.plan(self._steps())
            self._run_arms(opened)
            decision = self._decide(opened)
            parts = (self.arms, self._keeper, self._state)
            record = study_record(folder.name, self.study, *parts, decision)
            write_record(folder / STUDY, record)
            opened.stage("reports")
            self._outside.report_study(folder, self._decided_run(decision))
            return folder

        return finish(folder, self.resume, self._progress, work, read=self.standing)

    def _steps(self) -> int:
        """Return how many stages the work names: references, plans, arms, tuning, reports."""
        study, settings = self.study, self.study.settings
        arms = len(study.schemes) + len(settings.candidates) + len(settings.context)
        return arms + 1 + bool(study.searches) + 1

    def _run_arms(self, opened: Session) -> None:
        """Run the reference, put the plans in force, then take the candidates in their order."""
        study, ended = self.study, self._state.ended
        for plan in study.distinct_plans:
            self.arms.require_startable(self._reference, plan)
        for scheme in study.schemes:
            opened.stage(f"reference {self._reference.name}, {scheme}")
            self.arms.run(self._reference, scheme)
        opened.stage("plans")
        self.put_plans_in_force()
        self._run_context(opened)
        for candidate in study.settings.candidates:
            stop = study.settings.stop_after_pass
            if why := why_not(candidate, self._endings(), stop_after_pass=stop):
                opened.pass_over()
                ended[candidate.name] = ArmEnding(
                    arm=candidate.name, role="candidate", ending="not_run", reason=why
                )
            else:
                arm = Planned.of(study, candidate, "candidate")
                ended[candidate.name] = self._judge(arm, candidate, opened)
            self._run_context(opened)

    def put_plans_in_force(self) -> None:
        """Register every plan, its reference having run, and say what each can tell."""
        space, simulations = self._workspace, self.study.settings.power_simulations
        for plan in self.study.distinct_plans:
            reference = self.arms.runs[self._reference.name, plan.scheme]
            in_force = put_in_force(plan, reference, space, self._progress, simulations)
            self._state.plans.append(in_force)
            self._outside.say(in_force.power)

    def _judge(self, arm: Planned, candidate: Candidate, opened: Session) -> ArmEnding:
        opened.stage(f"{arm.role} {arm.name}")
        return self._keeper.judge(arm, self.study.plans[candidate.name])

    def _run_context(self, opened: Session) -> None:
        """Run the context arms whose conditions have become clear, each once."""
        ended, endings = self._state.ended, self._endings()
        for arm in self.study.settings.context:
            if arm.name in ended or not arm.runs_if.keys() <= endings.keys():
                continue
            if why := why_not(arm, endings):
                opened.pass_over()
                ended[arm.name] = ArmEnding(
                    arm=arm.name, role="context", ending=None, reason=f"not run: {why}"
                )
                continue
            opened.stage(f"context {arm.name}")
            planned = Planned.of(self.study, arm, "context")
            ended[arm.name] = self._keeper.show(planned, self.study.distinct_plans[0])

    def _decide(self, opened: Session) -> Conclusion:
        """Return the decision, made anew after the tuning round of a candidate that passed."""
        ended, study = self._state.ended, self.study
        for name, arm in ended.items():
            if arm.ending in ("pass", "inconclusive"):
                ended[name] = self._keeper.ending(name, arm.role, arm.unstable)
        first = decide(self._reference.name, list(ended.values()), self._keeper.gates)
        search = study.searches.get(first.arm)
        if search is None:
            if study.searches:
                opened.pass_over()
            return first
        [candidate] = [arm for arm in study.settings.candidates if arm.name == first.arm]
        opened.stage(f"tuning {candidate.name}")
        done = tuning_round(candidate.name, search, self._outside.tune)
        self._state.tuning = done.record
        if done.selected is None:
            return after_tuning(first, None, self._keeper.gates)
        tuned = self._judge(Planned.tuned(candidate, done.selected), candidate, opened)
        ended[tuned.arm] = tuned
        return after_tuning(first, tuned, self._keeper.gates)

    def _decided_run(self, decision: Conclusion) -> RunRecord:
        return self.arms.runs[decision.arm, self.study.schemes[0]][0]

    def _endings(self) -> dict[str, Ending]:
        """Return how the candidates so far ended, in their order."""
        ended = self._state.ended.values()
        return {arm.arm: arm.ending for arm in ended if arm.ending is not None}

    @property
    def folder(self) -> Path:
        """The study's folder, named by everything its decision depends on."""
        study, run = self.study, self.arms.base
        identity = {
            "study": study.sha256,
            "data": run.prepared.data_sha256,
            "splits": run.splits.sha256,
            "code": provenance.code_revision(),
            "judge": provenance.judge_revision(),
        }
        name = f"{study.settings.name}-{fingerprint(identity)[:12]}"
        return self._workspace.runs / "studies" / name

    def standing(self, folder: Path) -> Path | None:
        """Return a finished study's folder, None where a run was changed or a gate was invalid."""
        study = read_record(StudyRecord, require_intact(folder) / STUDY)
        manifests = {
            self._workspace.runs / run.run / MANIFEST: run.manifest_sha256 for run in study.runs
        }
        if any(gate.verdict == "invalid" for gate in study.gates):
            return None
        for path, sha256 in manifests.items():
            if not path.is_file() or file_sha256(path) != sha256:
                return None
            require_intact(path.parent)
        return folder
