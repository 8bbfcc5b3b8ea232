"""The trials of one part in Optuna's storage, claimed one at a time by any number of workers.

Every configuration has a slot, from 0 to the number of trials asked for. A worker claims under one
lock, so that no two take the same slot or configuration, and holds a lock of the trial's own until
it has told how it ended. A running trial whose lock is free belonged to a worker that died: it is
marked as failed and its slot is queued again, where finished folds are found on disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import try_lock, wait_lock
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.records.config import RunConfig
from essay_scoring.search.evaluator import Outcome
from essay_scoring.search.objectives import Key
from essay_scoring.search.proposals import Tried, propose
from essay_scoring.search.search_settings import SearchSettings
from essay_scoring.search.space import Params, Space, config_fingerprint
from essay_scoring.search.storage import Storage, locks_of
from essay_scoring.search.trial_attributes import (
    about_trial,
    ending_of,
    has_slot,
    optuna_state,
    row_of,
    state_of,
    tried_of,
)

TRIES = 100
"""After so many proposals of what was tried already, the space is taken to be exhausted."""

_TPE_TRIES = 10
"""TPE insists on its favourites; after so many repeats of them a proposal is drawn at random."""


@dataclass(frozen=True)
class Claim:
    """A configuration that this worker, and no other, is to try."""

    slot: int
    params: Params
    config: RunConfig
    fingerprint: str
    trial: Any = field(repr=False)


class Trials:
    """The trials of one part."""

    def __init__(
        self, storage: Storage, folder: Path, part: str, space: Space, settings: SearchSettings
    ) -> None:
        self._storage, self._space, self._settings = storage, space, settings
        self._part, self._locks = part, locks_of(folder) / part
        self._distributions = space.distributions()
        self._study = storage.study(f"{folder.name}/{part}")

    @contextlib.contextmanager
    def claim(self) -> Iterator[Claim | None]:
        """Yield a configuration to try, held while it is tried; None when there is none left.

        None also while others try the last ones: see `open`.
        """
        with contextlib.ExitStack() as held:
            with wait_lock(self._locks / "ask"), self._storage.answers():
                claim = self._next(held)
            yield claim

    @property
    def open(self) -> bool:
        """Whether some configuration is being tried, or is left by a worker that died."""
        return any(not trial.state.is_finished() for trial in self._trials())

    def restore(self, outcomes: Sequence[tuple[Outcome, dict[str, float]]]) -> None:
        """Tell a storage that has lost them how configurations ended, and their constraints."""
        with wait_lock(self._locks / "ask"), self._storage.answers():
            known = {trial.user_attrs.get("slot") for trial in self._trials()}
            for outcome, excess in outcomes:
                if outcome.slot not in known:
                    fingerprint = config_fingerprint(RunConfig.model_validate(outcome.config))
                    about = about_trial(outcome.slot, outcome.params, fingerprint)
                    self._add(outcome.params, outcome.state, about | ending_of(outcome), excess)

    def give_up(self, claim: Claim, done: int, key: Key | None) -> bool:
        """Note the figures after some folds; tell whether the trial is not worth going on with."""
        pruning = self._settings.pruning
        with self._storage.answers():
            if key is not None:
                claim.trial.report(key[0], done)
            if pruning is None or done < pruning.after_folds:
                return False
            others = [
                tuple(trial.user_attrs["steps"][str(done)])
                for trial in self._trials()
                if trial.state.name == "COMPLETE"
                and "slot" in trial.user_attrs
                and str(done) in trial.user_attrs["steps"]
            ]
        if len(others) < pruning.after_trials:
            return False
        no_better = sum(key is not None and other <= key for other in others)
        return no_better < pruning.keep_above * len(others)

    def tell(self, claim: Claim, outcome: Outcome, excess: dict[str, float]) -> None:
        """Record how a claimed configuration ended; `excess` are its constraints."""
        with self._storage.answers():
            for name, value in ending_of(outcome).items():
                claim.trial.set_user_attr(name, value)
            for name, value in excess.items():
                claim.trial.set_constraint(name, value)
            state = optuna_state(outcome.state)
            value = outcome.key[0] if outcome.state == "complete" and outcome.key else None
            self._study.tell(claim.trial, value, state=state)

    def tried(self) -> list[Tried]:
        """Return every configuration once, in the order of the slots."""
        with self._storage.answers():
            last = {t.user_attrs["slot"]: tried_of(t) for t in self._trials() if has_slot(t)}
        return [last[slot] for slot in sorted(last)]

    def rows(self) -> list[dict[str, Any]]:
        """Return every trial that the storage holds, repeats too; attempts cut short as killed."""
        with self._storage.answers():
            trials = self._trials()
        last = {trial.user_attrs["slot"]: trial.number for trial in trials if has_slot(trial)}
        return [
            row_of(t, killed=has_slot(t) and last[t.user_attrs["slot"]] != t.number) for t in trials
        ]

    @property
    def exhausted(self) -> bool:
        """Whether the space holds no configuration that was not tried."""
        return bool(self._study.user_attrs.get("exhausted"))

    def _trials(self) -> list[Any]:
        trials: list[Any] = self._study.get_trials(deepcopy=False)
        return trials

    def _next(self, held: contextlib.ExitStack) -> Claim | None:
        self._queue_orphans()
        waiting = any(trial.state.name == "WAITING" for trial in self._trials())
        if not waiting and not self._queue_new():
            return None
        trial = self._study.ask(self._distributions)
        held.enter_context(try_lock(self._lock(trial.number)))
        about = trial.user_attrs
        if "slot" not in about:
            # Queued by hand, through Optuna: not a configuration that this search proposed.
            self._study.tell(trial, state=optuna_state("failed"))
            return self._next(held)
        config = self._space.config(about["params"])
        return Claim(about["slot"], about["params"], config, about["fingerprint"], trial)

    def _queue_orphans(self) -> None:
        """Queue again what workers that died had claimed."""
        trials = self._trials()
        for trial in trials:
            if trial.state.name != "RUNNING":
                continue
            with try_lock(self._lock(trial.number)) as orphaned:
                if not orphaned:
                    continue
                slot = trial.user_attrs.get("slot")
                later = (t for t in trials if t.number > trial.number)
                # A kill between these two steps must not queue the slot twice.
                if slot is not None and slot not in {t.user_attrs.get("slot") for t in later}:
                    self._study.enqueue_trial(*_again(trial.user_attrs))
                self._study.tell(trial.number, state=optuna_state("failed"))

    def _queue_new(self) -> bool:
        """Queue a configuration that was not tried before; False when no more are wanted."""
        tried, slot = self.tried(), len(self.tried())
        if slot >= self._settings.trials or self.exhausted:
            return False
        first = {t.user_attrs["fingerprint"]: t for t in self._trials() if has_slot(t)}
        begun = sum(trial.user_attrs.get("instead_of") == slot for trial in self._trials())
        refused: InputError | None = None
        for attempt in range(begun, TRIES):
            params = self._propose(tried, slot, attempt)
            try:
                fingerprint = config_fingerprint(self._space.config(params))
            except InputError as error:
                refused = error
                self._add(params, "failed", {"instead_of": slot, "refused": error.line()}, {})
                continue
            if fingerprint not in first:
                self._study.enqueue_trial(params, about_trial(slot, params, fingerprint))
                return True
            self._answer_from(first[fingerprint], params, slot)
        if refused is not None and not tried:
            raise refused
        self._study.set_user_attr("exhausted", True)
        return False

    def _propose(self, tried: list[Tried], slot: int, attempt: int) -> Params:
        settings = self._settings
        if attempt >= _TPE_TRIES:
            settings = settings.model_copy(update={"sampler": "random"})
        seed = derive_seed(settings.seed, "proposal", self._part, slot, attempt)
        return self._space.rounded(propose(tried, self._distributions, settings, seed))

    def _answer_from(self, first: Any, params: Params, slot: int) -> None:
        """Record a repeated configuration with the result of its first trial, if it has one."""
        about = {name: value for name, value in first.user_attrs.items() if name != "slot"}
        about |= {"instead_of": slot, "repeats": first.number}
        state = state_of(first)
        self._add(params, "failed" if state == "running" else state, about, first.constraints)

    def _add(
        self, params: Params, state: str, about: dict[str, Any], excess: dict[str, float]
    ) -> None:
        """Add a trial that has ended."""
        from optuna.trial import create_trial

        key = about.get("key") if state == "complete" else None
        trial = create_trial(
            state=optuna_state(state),
            value=key[0] if key else None,
            params=params,
            distributions=self._distributions,
            user_attrs=about,
            intermediate_values={int(n): step[0] for n, step in about.get("steps", {}).items()},
            constraints=excess,
        )
        self._study.add_trial(trial)

    def _lock(self, number: int) -> Path:
        return self._locks / f"trial-{number}"


def _again(about: dict[str, Any]) -> tuple[Params, dict[str, Any]]:
    """Return what to queue of an attempt cut short: nothing of what it had noted of its ending."""
    return about["params"], about_trial(about["slot"], about["params"], about["fingerprint"])
