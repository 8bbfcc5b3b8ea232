"""How a search ends: what it selects, what that is worth, and the artifacts that say so."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.records import provenance
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.residuals import write_residuals
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.artifacts import summary_of
from essay_scoring.runs.reporters import Reporters
from essay_scoring.runs.session import Session
from essay_scoring.search.evaluator import Outcome, Part
from essay_scoring.search.guardrails import TailGuard
from essay_scoring.search.proposals import importances
from essay_scoring.search.search_settings import CAP, FEWEST, FLAT_LABEL, NESTED_LABEL
from essay_scoring.search.selection import best_first, report_outer
from essay_scoring.search.space import config_fingerprint
from essay_scoring.search.stability import check_stability
from essay_scoring.search.storage import locks_of
from essay_scoring.search.winners_curse import Selection, winners_curse
from essay_scoring.search.work import ALL, Workplace
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Finish:
    """Ends a search of which every configuration was tried."""

    place: Workplace
    workspace: Workspace
    reporters: Reporters
    resume: str
    opened: Session

    def run(self) -> None:
        """Write the artifacts and reports of the search."""
        place, artifacts = self.place, self.place.folder / "artifacts"
        self.opened.stage("selection")
        guards = {part: place.guard(part) for part in place.parts}
        ranking = self._ranking(ALL, guards[ALL])
        record = self._record(guards, ranking)
        if place.search.settings.mode == "nested":
            self.opened.stage("outer folds")
            record["nested"] = self._nested(guards)
        self.opened.stage("stability")
        leading = dict(zip(("winner", "runner-up"), ranking, strict=False))
        record["stability"] = check_stability(
            self._named_configs(leading),
            self.workspace,
            self.opened.progress,
            report=self.reporters.run,
            resume=self.resume,
        )
        self.opened.stage("artifacts")
        write_json(artifacts / "optuna_trials.json", self._trials(guards))
        if ranking:
            write_json(artifacts / "selected_params.json", self._selected(ranking[0]))
        write_json(artifacts / "search.json", record)
        self.opened.stage("reports")
        self.reporters.study(place.folder)
        shutil.rmtree(locks_of(place.folder), ignore_errors=True)

    def _ranking(self, part: Part, guard: TailGuard) -> list[Outcome]:
        return best_first(self.place.outcomes(part), guard)

    def _record(self, guards: dict[Part, TailGuard], ranking: list[Outcome]) -> dict[str, Any]:
        """Return search.json but for what takes further fits."""
        place, search = self.place, self.place.search
        settings = search.settings
        trials = place.trials(ALL)
        flat = settings.mode == "flat"
        return {
            "schema": 1,
            "name": settings.name,
            "mode": settings.mode,
            "label": FLAT_LABEL if flat else NESTED_LABEL,
            "objective": settings.objective,
            "settings": settings.model_dump(mode="json"),
            "scheme": search.base.scheme,
            "counts": {part.name: self._counts(part) for part in place.parts},
            "few": settings.trials < FEWEST,
            "cap": CAP,
            "trials_beyond_cap": search.beyond_cap,
            "allow_tail_regression": search.allow_tail_regression,
            "reference": _short(guards[ALL].reference),
            "selected": _short(ranking[0]) if ranking else None,
            "runner_up": _short(ranking[1]) if len(ranking) > 1 else None,
            "against_reference": self._against(guards[ALL], ranking[:1]),
            "winners_curse": self._curse(guards[ALL], ranking),
            "nested": None,
            "importances": importances(trials.tried(), place.space.distributions()),
            "storage": "database" if place.storage else "journal",
            "seconds": round(sum(one.seconds for p in place.parts for one in place.outcomes(p)), 1),
            "code_revision": provenance.code_revision(),
            "git": provenance.git_state().model_dump(),
            "machine": provenance.machine().model_dump(),
            "versions": provenance.package_versions(),
        }

    def _counts(self, part: Part) -> dict[str, Any]:
        """Return how many trials of each kind a part had."""
        trials = self.place.trials(part)
        outcomes, rows = self.place.outcomes(part), trials.rows()
        states = [one.state for one in outcomes]
        return {
            "asked": self.place.search.settings.trials,
            "tried": len(outcomes),
            **{state: states.count(state) for state in ("complete", "pruned", "failed")},
            "repeats": sum(row["repeats"] is not None for row in rows),
            "exhausted": trials.exhausted,
        }

    def _curse(self, guard: TailGuard, ranking: list[Outcome]) -> dict[str, Any] | None:
        """Return what the winner is expected to lose, had any complete trial been selectable."""
        if not ranking:
            return None
        bench, search = self.place.bench, self.place.search
        complete = [one for one in self.place.outcomes(ALL) if one.state == "complete"]
        among = [*complete, guard.reference] if guard.enforced else complete
        selection = Selection(
            search.settings.objective,
            search.base.evaluation,
            search.settings.guardrails if guard.enforced else None,
        )
        winner = complete.index(ranking[0])
        runs = [bench.predictions(ALL, one) for one in among]
        seed = derive_seed(search.settings.seed, "curse")
        found = winners_curse(runs, winner, selection, seed=seed)
        return None if found is None else found.to_json()

    def _nested(self, guards: dict[Part, TailGuard]) -> dict[str, Any]:
        """Return the figures of searching and selecting, on folds that did not take part in it.

        Where no configuration keeps the guardrail on the inner folds, the reference stays.
        """
        place = self.place
        chosen = {
            part: next(iter(self._ranking(part, guard)), guard.reference)
            for part, guard in guards.items()
            if part is not ALL
        }
        predictions = report_outer(place.bench, chosen, place.folder / "outer")
        base = place.search.base
        write_residuals(place.folder / "artifacts" / "nested", predictions, base.scheme, {})
        return {
            "summary": summary_of(predictions, base.evaluation, base.seed),
            "against_reference": self._compared(guards[ALL], predictions),
            "chosen": {part.name: _short(one) for part, one in chosen.items()},
        }

    def _against(self, guard: TailGuard, winner: list[Outcome]) -> dict[str, Any] | None:
        if not winner:
            return None
        return self._compared(guard, self.place.bench.predictions(ALL, winner[0]))

    def _compared(self, guard: TailGuard, candidate: Predictions) -> dict[str, Any]:
        """Return the comparison with the reference on the same essays and folds."""
        evaluation = self.place.search.base.evaluation
        return compare(
            self.place.bench.predictions(ALL, guard.reference),
            candidate,
            min_prompt_n=evaluation.min_prompt_n,
            bottom_k=evaluation.bottom_k,
            replicates=evaluation.replicates,
            seed=derive_seed(self.place.search.settings.seed, "comparison"),
        ).to_json()

    def _trials(self, guards: dict[Part, TailGuard]) -> dict[str, Any]:
        """Return optuna_trials.json: every trial of every part, with figures where it has any."""
        parts = {}
        for part, guard in guards.items():
            outcomes = self.place.outcomes(part)
            found = {
                config_fingerprint(RunConfig.model_validate(one.config)): one for one in outcomes
            }
            parts[part.name] = [
                row | self._found(_of_row(row, found), guard)
                for row in self.place.trials(part).rows()
            ]
        return {"schema": 1, "objective": self.place.search.settings.objective, "parts": parts}

    @staticmethod
    def _found(outcome: Outcome | None, guard: TailGuard) -> dict[str, Any]:
        if outcome is None:
            return {"figures": None, "feasible": None}
        complete = outcome.state == "complete"
        return {
            "figures": outcome.figures,
            "feasible": not guard.breaks(outcome.figures) if complete else None,
        }

    def _named_configs(self, leading: dict[str, Outcome]) -> dict[str, RunConfig]:
        """Return the reference's config and those of the leading trials, by their role."""
        found = {"reference": self.place.search.reference}
        return found | {role: RunConfig.model_validate(one.config) for role, one in leading.items()}

    def _selected(self, winner: Outcome) -> dict[str, Any]:
        """Return selected_params.json: a run config, named after the search."""
        config = RunConfig.model_validate(winner.config)
        name = f"{self.place.search.settings.name[:50]}-selected"
        return config_values(config.model_copy(update={"name": name}))


def _short(outcome: Outcome) -> dict[str, Any]:
    """Return what reports say of an outcome."""
    return {
        "slot": outcome.slot,
        "params": outcome.params,
        "figures": outcome.figures,
        "key": outcome.key,
        "seconds": outcome.seconds,
    }


def _of_row(row: dict[str, Any], found: dict[str, Outcome]) -> Outcome | None:
    """Return what a listed trial found; an attempt cut short found nothing, its retry did."""
    return None if row["state"] == "killed" else found.get(row["fingerprint"])
