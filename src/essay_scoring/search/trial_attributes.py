"""What a trial in Optuna's storage remembers beyond what Optuna asks for, and reading it back."""

from __future__ import annotations

from typing import Any

from essay_scoring.search.evaluator import Outcome
from essay_scoring.search.proposals import Tried, TriedState
from essay_scoring.search.space import Params


def about_trial(slot: int, params: Params, fingerprint: str) -> dict[str, Any]:
    """Return what is known of a trial before it runs: its slot, what it tries, its fingerprint."""
    return {"slot": slot, "params": params, "fingerprint": fingerprint}


def ending_of(outcome: Outcome) -> dict[str, Any]:
    """Return what a trial remembers of how it ended; a key of several figures has no other place.

    Optuna's own value is the key's first figure.
    """
    key = outcome.key if outcome.key is not None else outcome.steps.get(len(outcome.rounds))
    return {
        "key": None if key is None else list(key),
        "steps": {str(done): list(step) for done, step in outcome.steps.items()},
        "folds": len(outcome.rounds),
        "seconds": outcome.seconds,
        "reason": outcome.reason,
    }


def has_slot(trial: Any) -> bool:
    """Tell whether a trial is a configuration of its own, neither a repeat nor refused."""
    return "slot" in trial.user_attrs


def tried_of(trial: Any) -> Tried:
    """Return a trial as a sampler sees it."""
    about, state = trial.user_attrs, state_of(trial)
    key = about.get("key")
    return Tried(
        params=about["params"],
        state=state,
        key=None if key is None or state == "failed" else tuple(key),
        folds=about.get("folds", 0),
        excess=trial.constraints,
    )


def row_of(trial: Any, *, killed: bool) -> dict[str, Any]:
    """Return a trial as optuna_trials.json lists it; one cut short has no figures."""
    about, state = trial.user_attrs, state_of(trial)
    return {
        "number": trial.number,
        "state": "killed" if killed else state,
        "slot": about.get("slot"),
        "repeats": about.get("repeats"),
        "params": dict(trial.params) or about.get("params"),
        "fingerprint": about.get("fingerprint"),
        # A worker killed while it told how a trial ended leaves a key; the slot is tried again.
        "key": None if killed or state == "failed" else about.get("key"),
        "excess": {} if killed else trial.constraints,
        "seconds": about.get("seconds"),
        "reason": about.get("reason") or about.get("refused"),
    }


_STATES: dict[str, TriedState] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def state_of(trial: Any) -> TriedState:
    """Return how a trial stands; one that waits counts as running."""
    return _STATES.get(trial.state.name, "running")


def optuna_state(state: str) -> Any:
    """Return Optuna's own state."""
    from optuna.trial import TrialState

    return TrialState[next(name for name, ours in _STATES.items() if ours == state)]
