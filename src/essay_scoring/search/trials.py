"""The trials of one part in Optuna's storage, claimed one at a time by any number of workers.

Every configuration has a slot, from 0 to the number of trials asked for. A worker claims under one
lock, so that no two take the same slot or configuration, and holds a lock of the trial's own until
it has told how it ended. A running trial whose lock is free belonged to a worker that died: it is
marked as failed and its slot is queued again, where finished folds are found on disk. (Optuna's own
heartbeat works with databases only, and takes a slow worker for a dead one.)

What a configuration came to is read from its outcome in the search folder, never from the storage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import try_lock, wait_lock
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.records.config import RunConfig
from essay_scoring.records.search import Key, Outcome, SearchFolder, State, TrialRow
from essay_scoring.records.search_settings import SearchSettings
from essay_scoring.search.objectives import TailGuard
from essay_scoring.search.proposals import SamplerTrial, propose
from essay_scoring.search.space import Params, Space, config_fingerprint
from essay_scoring.search.storage import Storage

TRIES = 100
"""After so many proposals of what was tried already, the space is taken to be exhausted."""

_TPE_TRIES = 10
"""TPE insists on its favourites; after so many repeats of them a proposal is drawn at random."""

_OPTUNA_NAMES: dict[State, str] = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


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
        self,
        storage: Storage,
        folder: SearchFolder,
        part: str,
        space: Space,
        settings: SearchSettings,
        guard: TailGuard,
    ) -> None:
        self._storage, self._folder, self._part = storage, folder, part
        self._space, self._settings, self._guard = space, settings, guard
        self._locks = folder.locks / part
        self._distributions = space.distributions()
        self._study = storage.study(f"{folder.path.name}/{part}")

    @contextlib.contextmanager
    def claim(self) -> Iterator[Claim | None]:
        """Yield a configuration to try, held while it is tried; None when there is none left.

        None also while others try the last ones: see `open`.
        """
        with contextlib.ExitStack() as held:
            with self._alone():
                claim = self._next(held)
            yield claim

    @property
    def open(self) -> bool:
        """Whether some configuration is being tried, or is left by a worker that died."""
        return any(not trial.state.is_finished() for trial in self._trials())

    def restore(self) -> None:
        """Tell a storage that has lost them how configurations ended."""
        with self._alone():
            known = {_slot(trial) for trial in self._trials()}
            for outcome in self._outcomes():
                if outcome.slot not in known:
                    fingerprint = config_fingerprint(outcome.config)
                    about = _about(outcome.slot, outcome.params, fingerprint)
                    self._add(outcome.params, about, outcome)

    def give_up(self, claim: Claim, done: int, key: Key | None) -> bool:
        """Note the figures after some folds; tell whether the trial is not worth going on with."""
        pruning = self._settings.pruning
        if key is not None:
            with self._storage.answers():
                claim.trial.report(key[0], done)
        if pruning is None or done < pruning.after_folds:
            return False
        complete = (outcome for outcome in self._outcomes() if outcome.state == "complete")
        others = [outcome.steps[done] for outcome in complete if done in outcome.steps]
        if len(others) < pruning.after_trials:
            return False
        no_better = sum(key is not None and other <= key for other in others)
        return no_better < pruning.keep_above * len(others)

    def tell(self, claim: Claim, outcome: Outcome) -> None:
        """Record how a claimed configuration ended, and its constraints."""
        with self._storage.answers():
            for name, value in self._guard.constraints(outcome).items():
                claim.trial.set_constraint(name, value)
            self._study.tell(claim.trial, _value(outcome), state=_optuna_state(outcome.state))

    def tried(self) -> list[SamplerTrial]:
        """Return every configuration once, in the order of the slots."""
        with self._storage.answers():
            begun = {
                slot: SamplerTrial(trial.user_attrs["params"], "running")
                for trial in self._trials()
                if (slot := _slot(trial)) is not None
            }
        ended = {
            outcome.slot: SamplerTrial(
                outcome.params,
                outcome.state,
                outcome.key,
                len(outcome.rounds),
                self._guard.constraints(outcome),
            )
            for outcome in self._outcomes()
        }
        return [values for _, values in sorted((begun | ended).items())]

    def rows(self) -> list[TrialRow]:
        """Return every trial that the storage holds, repeats too; attempts cut short as killed."""
        with self._storage.answers():
            trials = self._trials()
        slots = {trial.number: _slot(trial) for trial in trials}
        last = {slot: number for number, slot in slots.items()}
        outcomes = {outcome.slot: outcome for outcome in self._outcomes()}
        rows = []
        for trial in trials:
            slot = slots[trial.number]
            killed = slot is not None and last[slot] != trial.number
            first = slots.get(trial.user_attrs.get("repeats", trial.number))
            outcome = None if killed or first is None else outcomes.get(first)
            rows.append(self._row(trial, "killed" if killed else _state(trial), outcome))
        return rows

    @property
    def exhausted(self) -> bool:
        """Whether the space holds no configuration that was not tried."""
        return bool(self._study.user_attrs.get("exhausted"))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other worker claim meanwhile."""
        with wait_lock(self._locks / "ask"), self._storage.answers():
            yield

    def _trials(self) -> list[Any]:
        trials: list[Any] = self._study.get_trials(deepcopy=False)
        return trials

    def _outcomes(self) -> list[Outcome]:
        return self._folder.outcomes(self._part)

    def _row(
        self,
        trial: Any,
        state: Literal[State, "running", "killed"],
        outcome: Outcome | None,
    ) -> TrialRow:
        about = trial.user_attrs
        row = TrialRow(
            number=trial.number,
            state=state,
            slot=_slot(trial),
            repeats=about.get("repeats"),
            params=dict(trial.params) or about.get("params"),
            fingerprint=about.get("fingerprint"),
            reason=about.get("refused"),
        )
        if outcome is None:
            return row
        complete = outcome.state == "complete"
        shared = ("state", "key", "seconds", "reason", "figures")
        return row.model_copy(
            update={name: getattr(outcome, name) for name in shared}
            | {
                "excess": self._guard.constraints(outcome),
                "feasible": not self._guard.breaks(outcome.figures) if complete else None,
            }
        )

    def _next(self, held: contextlib.ExitStack) -> Claim | None:
        self._queue_orphans()
        waiting = any(trial.state.name == "WAITING" for trial in self._trials())
        if not waiting and not self._queue_new():
            return None
        trial = self._study.ask(self._distributions)
        held.enter_context(wait_lock(self._lock(trial.number)))
        about = trial.user_attrs
        if "slot" not in about:
            # Queued by hand, through Optuna: not a configuration that this search proposed.
            self._study.tell(trial, state=_optuna_state("failed"))
            return self._next(held)
        config = self._space.config(about["params"])
        return Claim(about["slot"], about["params"], config, about["fingerprint"], trial)

    def _queue_orphans(self) -> None:
        """Queue again what workers that died had claimed."""
        for trial in self._trials():
            if trial.state.name != "RUNNING":
                continue
            with try_lock(self._lock(trial.number)) as free:
                # Its owner may have told, and let go of it, since the trials were listed.
                trials = self._trials() if free else []
                if not free or trials[trial.number].state.is_finished():
                    continue
                slot = _slot(trial)
                later = {_slot(other) for other in trials[trial.number + 1 :]}
                # A kill between these two steps must not queue the slot twice.
                if slot is not None and slot not in later:
                    self._study.enqueue_trial(trial.user_attrs["params"], trial.user_attrs)
                self._study.tell(trial.number, state=_optuna_state("failed"))

    def _queue_new(self) -> bool:
        """Queue a configuration that was not tried before; False when no more are wanted."""
        tried = self.tried()
        slot = len(tried)
        if slot >= self._settings.trials or self.exhausted:
            return False
        trials = self._trials()
        first = {t.user_attrs["fingerprint"]: t for t in trials if _slot(t) is not None}
        begun = sum(trial.user_attrs.get("instead_of") == slot for trial in trials)
        refused: InputError | None = None
        for attempt in range(begun, TRIES):
            params = self._propose(tried, slot, attempt)
            try:
                fingerprint = config_fingerprint(self._space.config(params))
            except InputError as error:
                refused = error
                self._add(params, {"instead_of": slot, "refused": error.line()}, None)
                continue
            if fingerprint not in first:
                self._study.enqueue_trial(params, _about(slot, params, fingerprint))
                return True
            self._answer_from(first[fingerprint], params, slot)
        if refused is not None and not tried:
            raise refused
        self._study.set_user_attr("exhausted", True)
        return False

    def _propose(self, tried: list[SamplerTrial], slot: int, attempt: int) -> Params:
        settings = self._settings
        if attempt >= _TPE_TRIES:
            settings = settings.model_copy(update={"sampler": "random"})
        seed = derive_seed(settings.seed, "proposal", self._part, slot, attempt)
        return self._space.rounded(propose(tried, self._distributions, settings, seed))

    def _answer_from(self, first: Any, params: Params, slot: int) -> None:
        """Record a repeated configuration with the result of its first trial, if it has one."""
        about = {"instead_of": slot, "repeats": first.number}
        about["fingerprint"] = first.user_attrs["fingerprint"]
        result = (outcome for outcome in self._outcomes() if outcome.slot == _slot(first))
        self._add(params, about, next(result, None))

    def _add(self, params: Params, about: dict[str, Any], outcome: Outcome | None) -> None:
        """Add a trial that has ended; without an outcome it failed."""
        from optuna.trial import create_trial

        trial = create_trial(
            state=_optuna_state(outcome.state if outcome else "failed"),
            value=_value(outcome) if outcome else None,
            params=params,
            distributions=self._distributions,
            user_attrs=about,
            intermediate_values=(
                {done: key[0] for done, key in outcome.steps.items()} if outcome else {}
            ),
            constraints=self._guard.constraints(outcome) if outcome else {},
        )
        self._study.add_trial(trial)

    def _lock(self, number: int) -> Path:
        return self._locks / f"trial-{number}"


def _about(slot: int, params: Params, fingerprint: str) -> dict[str, Any]:
    """Return what a trial in the storage remembers: its slot, what it tries, its fingerprint."""
    return {"slot": slot, "params": params, "fingerprint": fingerprint}


def _slot(trial: Any) -> int | None:
    """Return the slot of a configuration; None for a repeat or a refused proposal."""
    slot: int | None = trial.user_attrs.get("slot")
    return slot


def _value(outcome: Outcome) -> float | None:
    """Return Optuna's own value: the first figure of the rule."""
    return outcome.key[0] if outcome.state == "complete" and outcome.key else None


def _state(trial: Any) -> Literal[State, "running"]:
    """Return how a trial stands; one that waits counts as running."""
    names = {name: state for state, name in _OPTUNA_NAMES.items()}
    return names.get(trial.state.name, "running")


def _optuna_state(state: State) -> Any:
    from optuna.trial import TrialState

    return TrialState[_OPTUNA_NAMES[state]]
