"""What every worker of a search does: claim a configuration, try it, tell, until none is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from essay_scoring.core.files import wait_lock
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.records import provenance
from essay_scoring.records.config import config_values
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import Run, open_run
from essay_scoring.search.evaluator import Bench, Outcome, Part, read_outcome
from essay_scoring.search.guardrails import TailGuard, require_objective
from essay_scoring.search.search_settings import Search
from essay_scoring.search.space import Space, space_of
from essay_scoring.search.storage import Storage, locks_of
from essay_scoring.search.trials import Trials

TRIALS = "trials"
PAUSE_SECONDS = 0.2
"""How long a worker waits for others before it looks again for what they left."""

ALL = Part("all")
"""The part that selects what is handed over: every training essay."""


@dataclass(frozen=True, eq=False)
class Workplace:
    """A search on its data, in its folder."""

    search: Search
    space: Space
    bench: Bench
    folder: Path
    storage: str | None

    @property
    def identity(self) -> dict[str, Any]:
        """What the search is, and why it is as long as it is: its config.json."""
        return {
            **_identity(self.search, self.bench.base),
            "trials_beyond_cap": self.search.beyond_cap,
        }

    @property
    def parts(self) -> list[Part]:
        """The parts that each have a search of their own; only ALL where the mode is flat."""
        if self.search.settings.mode == "flat":
            return [ALL]
        return [ALL, *(Part(f"outer-{fold}", fold) for fold in self.bench.folds)]

    @cached_property
    def opened(self) -> Storage:
        """The storage, opened."""
        return Storage(self.folder, self.storage)

    def trials(self, part: Part) -> Trials:
        """Return a part's trials in the storage."""
        return Trials(self.opened, self.folder, part.name, self.space, self.search.settings)

    def guard(self, part: Part) -> TailGuard:
        """Return the guardrail of a part, its reference tried by whoever asks first."""
        with wait_lock(locks_of(self.folder) / part.name / "reference"):
            at = self.folder / TRIALS / part.name / "reference"
            reference = self.bench.try_out(part, self.search.reference, at)
        require_objective(reference, part.name)
        enforced = not self.search.allow_tail_regression
        return TailGuard(reference, self.search.settings.guardrails, enforced)

    def outcomes(self, part: Part) -> list[Outcome]:
        """Return the finished configurations of a part, by slot."""
        paths = (self.folder / TRIALS / part.name).glob("[!.]*.json")
        found = [read_outcome(path) for path in paths if path.stem != "reference"]
        return sorted(found, key=lambda one: one.slot)

    def finished(self) -> int:
        """Return how many configurations of all parts are finished, by whichever worker."""
        found = (self.folder / TRIALS).glob("*/[!.]*.json")
        return sum(path.stem != "reference" for path in found)


def open_workplace(
    search: Search, workspace: Workspace, progress: Progress, storage: str | None
) -> Workplace:
    """Return the workplace of a search; whoever opens the same search finds the same folder.

    The folder is named by all that changes a result: the search, its configs, data and code. Raises
    InputError for a space that the settings refuse.
    """
    space = space_of(search)
    run = open_run(search.base, workspace, progress)
    bench = Bench(run, search.settings.objective)
    name = f"{search.settings.name}-{fingerprint(_identity(search, run))[:12]}"
    return Workplace(search, space, bench, workspace.runs / "searches" / name, storage)


def _identity(search: Search, run: Run) -> dict[str, Any]:
    """Return all that changes the result of a search."""
    settings = search.settings
    return {
        "search": settings.model_dump(mode="json", exclude={"config", "set", "guardrails"}),
        "guardrails": settings.guardrails.model_dump(mode="json", exclude={"reference"}),
        "allow_tail_regression": search.allow_tail_regression,
        "base": config_values(search.base),
        "reference": config_values(search.reference),
        "data": run.prepared.data_sha256,
        "splits": run.splits.sha256,
        "code": provenance.code_revision(),
    }


def work(place: Workplace, told: Callable[[], None]) -> None:
    """Try configurations of every part until none is left to claim or being tried by others.

    `told` is called after each of them.
    """
    waiting = {part: (place.trials(part), place.guard(part)) for part in place.parts}
    for part, (trials, guard) in waiting.items():
        finished = place.outcomes(part)
        trials.restore([(one, _constraints(guard, one)) for one in finished])
    while waiting:
        for part, (trials, guard) in list(waiting.items()):
            while _try_one(place, part, trials, guard):
                told()
            if not trials.open:
                del waiting[part]
        if waiting:
            told()
            time.sleep(PAUSE_SECONDS)


def _try_one(place: Workplace, part: Part, trials: Trials, guard: TailGuard) -> bool:
    """Try one configuration; False when there was none to claim."""
    with trials.claim() as claim:
        if claim is None:
            return False
        outcome = place.bench.try_out(
            part,
            claim.config,
            place.folder / TRIALS / part.name / claim.fingerprint[:16],
            partial(trials.give_up, claim),
            slot=claim.slot,
            params=claim.params,
        )
        trials.tell(claim, outcome, _constraints(guard, outcome))
    return True


def _constraints(guard: TailGuard, outcome: Outcome) -> dict[str, float]:
    """Return what keeps the sampler off: nothing where no guardrail is enforced, or none known."""
    known = guard.enforced and outcome.state == "complete"
    return guard.excess(outcome.figures) if known else {}
