"""What every worker of a search does: claim a configuration, try it, tell, until none is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

from essay_scoring.core.files import wait_lock
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.records import provenance
from essay_scoring.records.search import Outcome, SearchFolder
from essay_scoring.records.search_settings import Search
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import Run, open_run
from essay_scoring.search.evaluator import ALL, Evaluator, SearchPart
from essay_scoring.search.objectives import TailGuard, require_objective
from essay_scoring.search.search_workers import PAUSE_SECONDS, Workplace
from essay_scoring.search.space import Space, space_of
from essay_scoring.search.storage import Storage, require_optuna
from essay_scoring.search.trials import Trials


@dataclass(frozen=True, eq=False)
class SearchPlace(Workplace):
    """A search on its data, in its folder."""

    search: Search
    space: Space
    storage: str | None

    unit = "trials"

    @property
    def identity(self) -> dict[str, Any]:
        """What the search is, and why it is as long as it is."""
        beyond = {"trials_beyond_cap": self.search.beyond_cap}
        return _identity(self.search, self.evaluator.base) | beyond

    @property
    def total(self) -> int:
        """The trials of all parts."""
        return len(self.parts) * self.search.settings.trials

    @property
    def parts(self) -> list[SearchPart]:
        """The parts that each have a search of their own; only ALL where the mode is flat."""
        if self.search.settings.mode == "flat":
            return [ALL]
        return [ALL, *(SearchPart(f"outer-{fold}", fold) for fold in self.evaluator.folds)]

    @cached_property
    def opened(self) -> Storage:
        """The storage, opened."""
        return Storage(self.folder, self.storage)

    def trials(self, part: SearchPart) -> Trials:
        """Return a part's trials in the storage."""
        settings, guard = self.search.settings, self.guard(part)
        return Trials(self.opened, self.folder, part.name, self.space, settings, guard)

    @cache  # noqa: B019 - a process opens one place, or a few
    def guard(self, part: SearchPart) -> TailGuard:
        """Return the guardrail of a part, its reference tried by whoever asks first."""
        with wait_lock(self.folder.locks / part.name / "reference"):
            path = self.folder.reference(part.name)
            reference = self.evaluator.try_out(part, self.search.reference, path)
        require_objective(reference, part.name)
        enforced = not self.search.allow_tail_regression
        return TailGuard(reference, self.search.settings.guardrails, enforced)

    def outcomes(self, part: SearchPart) -> list[Outcome]:
        """Return the finished configurations of a part, by slot."""
        return self.folder.outcomes(part.name)

    def work(self, told: Callable[[], None]) -> None:
        """Try configurations of every part until none is left to claim or being tried."""
        waiting = {part: self.trials(part) for part in self.parts}
        for trials in waiting.values():
            trials.restore()
        while waiting:
            for part, trials in list(waiting.items()):
                while self._try_one(part, trials):
                    told()
                if not trials.open:
                    del waiting[part]
            if waiting:
                told()
                time.sleep(PAUSE_SECONDS)

    def _try_one(self, part: SearchPart, trials: Trials) -> bool:
        """Try one configuration; False when there was none to claim."""
        with trials.claim() as claim:
            if claim is None:
                return False
            outcome = self.evaluator.try_out(
                part,
                claim.config,
                self.folder.outcome(part.name, claim.fingerprint[:16]),
                partial(trials.give_up, claim),
                slot=claim.slot,
                params=claim.params,
            )
            trials.tell(claim, outcome)
        return True


def open_search(
    search: Search, workspace: Workspace, progress: Progress, storage: str | None
) -> SearchPlace:
    """Return the workplace of a search; whoever opens the same search finds the same folder.

    The folder is named by all that changes a result: the search, its configs, data and code. Raises
    InputError for a space that the settings refuse.
    """
    require_optuna()
    space = space_of(search)
    run = open_run(search.base, workspace, progress)
    name = f"{search.settings.name}-{fingerprint(_identity(search, run))[:12]}"
    folder = SearchFolder(workspace.runs / "searches" / name)
    evaluator = Evaluator(run, search.settings.objective)
    return SearchPlace(evaluator, folder, search, space, storage)


def _identity(search: Search, run: Run) -> dict[str, Any]:
    """Return all that changes the result of a search."""
    return search.asks | {
        "data": run.prepared.data_sha256,
        "splits": run.splits.sha256,
        "code": provenance.code_revision(),
        "judge": provenance.judge_revision(),
    }
