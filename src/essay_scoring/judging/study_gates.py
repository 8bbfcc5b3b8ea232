"""A candidate of a study through its gates, by registered plans and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from essay_scoring.core.errors import EvidenceError, NotFiniteError
from essay_scoring.data.splits import Scheme
from essay_scoring.judging.attempts import attempts_of, attempts_under
from essay_scoring.judging.compare_runs import compare_arms, require_comparable
from essay_scoring.judging.comparison_record import ComparedArm, invalid_gate
from essay_scoring.judging.judgement import judge_registered
from essay_scoring.judging.multiplicity import family_wise
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.study_arms import ArmRunner, Planned, not_finite
from essay_scoring.judging.study_outcomes import astray, ending_of
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.judgements import Gate, Role
from essay_scoring.records.study_results import ArmEnding, RefusedAttempt
from essay_scoring.statistics.comparison import Comparison


class Gatekeeper:
    """Judges arms against the reference; `gates` and `compared` (by scheme) hold the results."""

    def __init__(
        self, arms: ArmRunner, reference: Planned, seed_tolerance: float | None, candidates: int
    ) -> None:
        self._arms, self._reference, self._tolerance = arms, reference, seed_tolerance
        self._candidates = candidates
        self._judged: dict[str, tuple[GatePlan, dict[str, Comparison]]] = {}
        self.gates: list[Gate] = []
        self.compared: dict[Scheme, list[ComparedArm]] = {}

    def judge(self, arm: Planned, plans: Sequence[GatePlan]) -> ArmEnding:
        """Run an arm, judge it by every plan, and return how it ended.

        Every gate is judged, also after one failed: the record shows all of the evidence.
        """
        self.gates += [self._gate(arm, plan) for plan in plans]
        self._read_together()
        return self.ending(arm.name, arm.role, self._unstable(arm, plans))

    def ending(self, arm: str, role: Role, unstable: str | None) -> ArmEnding:
        """Return how an arm ended, as its gates stand."""
        verdicts = [gate.verdict for gate in self.gates if gate.arm == arm]
        ending = ending_of(verdicts, unstable)
        return ArmEnding(arm=arm, role=role, ending=ending, unstable=unstable)

    def show(self, arm: Planned, plan: GatePlan) -> ArmEnding:
        """Run an arm that no gate judges and keep how it compares, under a plan's slices.

        Where it does not compare, as in what it ran with and the plan does not tolerate, the ending
        says why.
        """
        try:
            runs = self._arms.run(arm, plan.scheme)
        except NotFiniteError as error:
            unstable = self._short(error.line())
            return ArmEnding(arm=arm.name, role=arm.role, ending=None, unstable=unstable)
        reference = self._arms.runs[self._reference.name, plan.scheme]
        try:
            require_comparable(reference, runs, plan)
            self._keep(arm, plan, compare_arms(reference, runs, plan))
        except EvidenceError as error:
            reason = f"not compared: {self._short(error.line())}"
            return ArmEnding(arm=arm.name, role=arm.role, ending=None, reason=reason)
        return ArmEnding(arm=arm.name, role=arm.role, ending=None)

    def attempts(
        self, plans: Sequence[GatePlan], names: Sequence[str]
    ) -> tuple[RefusedAttempt, ...]:
        """Return the attempts of arms so named that came to nothing under these plans."""
        ledger = attempts_of(self._arms.workspace)
        entries = [entry for plan in plans for entry in attempts_under(plan, ledger)]
        kept = ("entry", "run", "plan", "started", "time")
        return tuple(
            RefusedAttempt(
                **{key: getattr(entry, key) for key in kept}, reason=self._short(entry.reason)
            )
            for entry in sorted(entries, key=lambda entry: entry.entry)
            if entry.run.rpartition("-")[0] in names
        )

    def _gate(self, arm: Planned, plan: GatePlan) -> Gate:
        """Return the gate of an arm under a plan."""
        self._arms.require_startable(arm, plan)
        try:
            runs = self._arms.run(arm, plan.scheme, plan)
            reference = self._arms.runs[self._reference.name, plan.scheme]
            judged = judge_registered(plan, reference, runs, self._arms.workspace)
        except (EvidenceError, NotFiniteError) as error:
            folders = [path.name for path in self._arms.folders(arm, plan.scheme) if path.is_dir()]
            return invalid_gate(arm.name, folders, plan, self._short(error.line()))
        self._keep(arm, plan, judged.judgement.comparison)
        if plan.rule == "interval":
            _, compared = self._judged.setdefault(plan.sha256, (plan, {}))
            compared[arm.name] = judged.judgement.comparison
        return judged.gate(arm.name)

    def _read_together(self) -> None:
        """Hold every gate against all candidates judged so far, and those that may still run.

        A gate that passes alone and not among so many is inconclusive. More candidates make it
        easier to pass, never harder: one that has run costs less than its bound.
        """
        known = {
            sha256: family_wise(plan, compared, self._candidates)
            for sha256, (plan, compared) in self._judged.items()
        }
        for at, gate in enumerate(self.gates):
            family = known.get(gate.plan_sha256, {}).get(gate.arm)
            if family is None:
                continue
            verdict = gate.verdict
            if all(check.result == "passed" for check in gate.checks):
                verdict = "pass" if family.passes else "inconclusive"
            self.gates[at] = gate.model_copy(update={"family": family, "verdict": verdict})

    def _keep(self, arm: Planned, plan: GatePlan, comparison: Comparison) -> None:
        """Keep the first comparison of an arm under a scheme."""
        kept = self.compared.setdefault(plan.scheme, [])
        if arm.name not in {compared.name for compared in kept}:
            runs = self._arms.runs[arm.name, plan.scheme]
            kept.append(ComparedArm(arm.name, arm.role, runs, comparison))

    def _unstable(self, arm: Planned, plans: Sequence[GatePlan]) -> str | None:
        """Return how an arm's numbers or seeds went astray under any scheme, None if they kept."""
        for scheme in dict.fromkeys(plan.scheme for plan in plans):
            runs = self._arms.runs.get((arm.name, scheme), ())
            known = {run.folder: run for run in runs}
            folders = self._arms.folders(arm, scheme)
            if wild := [path.name for path in folders if not_finite(path, known.get(path))]:
                return f"numbers of {', '.join(wild)} were not finite"
            if far := astray([_mean_qwk(run) for run in runs], self._tolerance):
                return f"under {scheme}, {far}"
        return None

    def _short(self, text: str) -> str:
        """Return text on run folders without where this machine keeps them."""
        return text.replace(f"{self._arms.workspace.runs}/", "")


def _mean_qwk(run: RunRecord) -> float | None:
    """Return a run's QWK as the mean over folds."""
    return run.metrics.summary.mean_over_folds["qwk"].mean
