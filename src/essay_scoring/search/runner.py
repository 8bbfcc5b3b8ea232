"""`optuna-sweep`: a search from its file to the configuration it selects and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.records import provenance
from essay_scoring.records.config import RunConfig
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.residuals import write_residuals
from essay_scoring.records.search import (
    NestedResult,
    Outcome,
    SearchRecord,
    StabilityRow,
    TrialCounts,
    TrialsRecord,
    WinnersCurse,
)
from essay_scoring.records.search_settings import CAP, FEWEST, FLAT_LABEL, NESTED_LABEL, Search
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.artifacts import summary_of
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.reporters import Reporters
from essay_scoring.runs.session import Session
from essay_scoring.search.evaluator import ALL, SearchPart
from essay_scoring.search.proposals import importances
from essay_scoring.search.search_workers import Team, help_in, helpers, run_together
from essay_scoring.search.selection import best_first, report_outer
from essay_scoring.search.trials import Trials
from essay_scoring.search.winners_curse import Selection, winners_curse
from essay_scoring.search.work import SearchPlace, open_search
from essay_scoring.statistics.comparison import Comparison, compare
from essay_scoring.statistics.predictions import Predictions

STABILITY_SCHEME = "stratified_text"


def run_search(
    search: Search,
    workspace: Workspace,
    progress: Progress,
    *,
    team: Team,
    reporters: Reporters,
    resume: str,
) -> Path:
    """Return the folder of a search, doing only what is not done yet.

    It is complete unless another process leads the search: this one then helped, and returns when
    nothing is left to try. Raises EvidenceError for a finished search that was changed since.
    """
    place = open_search(search, workspace, progress, team.storage)
    known = (place.folder.path, open_search, search, workspace, Progress(), team.storage)
    end = Ending(place, reporters, resume).run
    helping = partial(helpers, team.workers, help_in, *known)
    return run_together(place, end, helping, progress, resume)


@dataclass(frozen=True, eq=False)
class Ending:
    """Ends a search of which every configuration was tried."""

    place: SearchPlace
    reporters: Reporters
    resume: str

    def run(self, session: Session) -> None:
        """Write the artifacts and reports of the search."""
        place, folder = self.place, self.place.folder
        session.stage("selection")
        trials = {part: place.trials(part) for part in place.parts}
        nested = None
        if place.search.settings.mode == "nested":
            session.stage("outer folds")
            nested = self._nested()
        session.stage("stability")
        stability = self._stability()
        session.stage("artifacts")
        objective = place.search.settings.objective
        rows = {part.name: known.rows() for part, known in trials.items()}
        write_record(folder.trial_list, TrialsRecord(objective=objective, parts=rows))
        if ranking := self._ranking(ALL):
            folder.write_selected(ranking[0].config, f"{place.search.settings.name[:50]}-selected")
        write_record(folder.search, self._record(trials, nested, stability))
        session.wrote(folder.search, folder.trial_list)
        session.stage("reports")
        self.reporters.study(folder.path)

    def _ranking(self, part: SearchPart) -> list[Outcome]:
        return best_first(self.place.outcomes(part), self.place.guard(part))

    def _record(
        self,
        trials: dict[SearchPart, Trials],
        nested: NestedResult | None,
        stability: list[StabilityRow],
    ) -> SearchRecord:
        place, search, settings = self.place, self.place.search, self.place.search.settings
        ranking = self._ranking(ALL)
        winner = ranking[0] if ranking else None
        outcomes = [outcome for part in place.parts for outcome in place.outcomes(part)]
        return SearchRecord(
            name=settings.name,
            mode=settings.mode,
            label=FLAT_LABEL if settings.mode == "flat" else NESTED_LABEL,
            objective=settings.objective,
            settings=settings,
            scheme=search.base.scheme,
            counts={part.name: self._counts(part, known) for part, known in trials.items()},
            few=settings.trials < FEWEST,
            cap=CAP,
            trials_beyond_cap=search.beyond_cap,
            allow_tail_regression=search.allow_tail_regression,
            reference=place.guard(ALL).reference.short(),
            selected=winner.short() if winner else None,
            runner_up=ranking[1].short() if len(ranking) > 1 else None,
            against_reference=(
                self._compared(place.evaluator.predictions(ALL, winner)) if winner else None
            ),
            winners_curse=self._curse(winner) if winner else None,
            nested=nested,
            importances=importances(trials[ALL].tried(), place.space.distributions()),
            storage="database" if place.storage else "journal",
            seconds=round(sum(outcome.seconds for outcome in outcomes), 1),
            code_revision=provenance.code_revision(),
            git=provenance.git_state(),
            machine=provenance.machine(),
            versions=provenance.package_versions(),
            stability=stability,
        )

    def _counts(self, part: SearchPart, trials: Trials) -> TrialCounts:
        """Return how many trials of each kind a part had."""
        states = [outcome.state for outcome in self.place.outcomes(part)]
        return TrialCounts(
            asked=self.place.search.settings.trials,
            tried=len(states),
            complete=states.count("complete"),
            pruned=states.count("pruned"),
            failed=states.count("failed"),
            repeats=sum(row.repeats is not None for row in trials.rows()),
            exhausted=trials.exhausted,
        )

    def _curse(self, winner: Outcome) -> WinnersCurse | None:
        """Return what the winner is expected to lose, had any complete trial been selectable."""
        place, search, guard = self.place, self.place.search, self.place.guard(ALL)
        complete = [outcome for outcome in place.outcomes(ALL) if outcome.state == "complete"]
        among = [*complete, guard.reference] if guard.enforced else complete
        selection = Selection(
            search.settings.objective,
            search.base.evaluation,
            search.settings.guardrails if guard.enforced else None,
        )
        runs = [place.evaluator.predictions(ALL, outcome) for outcome in among]
        seed = derive_seed(search.settings.seed, "curse")
        return winners_curse(runs, complete.index(winner), selection, seed=seed)

    def _nested(self) -> NestedResult:
        """Return the figures of searching and selecting, on folds that did not take part in it.

        Where no configuration keeps the guardrail on the inner folds, the reference stays.
        """
        place, base = self.place, self.place.search.base
        chosen = {
            part: next(iter(self._ranking(part)), place.guard(part).reference)
            for part in place.parts
            if part is not ALL
        }
        predictions = report_outer(place.evaluator, chosen, place.folder.outer)
        write_residuals(place.folder.nested, predictions, base.scheme, {})
        return NestedResult(
            summary=summary_of(predictions, base.evaluation, base.seed),
            against_reference=self._compared(predictions),
            chosen={part.name: outcome.short() for part, outcome in chosen.items()},
        )

    def _compared(self, candidate: Predictions) -> Comparison:
        """Return the comparison with the reference on the same essays and folds."""
        place, evaluation = self.place, self.place.search.base.evaluation
        return compare(
            place.evaluator.predictions(ALL, place.guard(ALL).reference),
            candidate,
            min_prompt_n=evaluation.min_prompt_n,
            bottom_k=evaluation.bottom_k,
            replicates=evaluation.replicates,
            seed=derive_seed(place.search.settings.seed, "comparison"),
        )

    def _stability(self) -> list[StabilityRow]:
        """Return the leading configurations' mean QWK under `stratified_text`.

        That is on unseen essays of prompts that training saw. Each is a run folder of its own,
        found again if it is there. Deltas are from the reference, with 95% intervals.
        """
        leading = dict(zip(("winner", "runner-up"), self._ranking(ALL), strict=False))
        configs: dict[str, RunConfig] = {"reference": self.place.search.reference}
        configs |= {role: outcome.config for role, outcome in leading.items()}
        runs: dict[str, RunRecord] = {}
        for role, config in configs.items():
            name = f"{config.name[:40]}-{role}"
            changed = {"scheme": STABILITY_SCHEME, "baselines": (), "name": name}
            run = self.place.evaluator.base.on_same_data(config.model_copy(update=changed))
            runs[role] = run_cv(run, report=self.reporters.run, resume=self.resume)
        return [_stability_row(role, run, runs["reference"]) for role, run in runs.items()]


def _stability_row(role: str, run: RunRecord, reference: RunRecord) -> StabilityRow:
    settings = run.metrics.summary.settings
    delta = compare(
        reference.predictions,
        run.predictions,
        min_prompt_n=settings.min_prompt_n,
        bottom_k=settings.bottom_k,
        replicates=settings.replicates,
    ).deltas["mean_qwk"]
    return StabilityRow(
        role=role,
        run=run.folder.name,
        manifest_sha256=run.manifest_sha256,
        mean_qwk=delta.candidate,
        delta=delta.estimate,
        low=delta.low,
        high=delta.high,
    )
