from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.records.config import config_values
from essay_scoring.search.evaluator import Outcome
from essay_scoring.search.objectives import Key
from essay_scoring.search.search_settings import Choice, Pruning, SearchSettings
from essay_scoring.search.space import Space, space_of
from essay_scoring.search.storage import Storage, require_optuna
from essay_scoring.search.trials import Claim, Trials
from tests.search.made import small_search


@pytest.fixture(autouse=True)
def _quiet() -> None:
    require_optuna()


def trials(folder: Path, space: Space | None = None, **changes: Any) -> Trials:
    """Return the trials of a part, opened anew as another worker would."""
    search = small_search("trials=5")
    settings: SearchSettings = search.settings.model_copy(update=changes)
    return Trials(Storage(folder, None), folder, "all", space or space_of(search), settings)


def ended(
    claim: Claim, key: Key | None = (0.5,), state: str = "complete", folds: int = 5
) -> Outcome:
    """Return an outcome of a claim."""
    steps = {} if key is None else dict.fromkeys(range(2, folds + 1), key)
    return Outcome(
        config=config_values(claim.config),
        state=state,  # type: ignore[arg-type]
        key=key if state == "complete" else None,
        figures={},
        steps=steps,
        raw=(),
        rounds=(None,) * folds,
        seconds=1.0,
        slot=claim.slot,
        params=claim.params,
    )


def finish(work: Trials, key: Key | None = (0.5,), state: str = "complete") -> Claim:
    """Claim and tell one trial."""
    with work.claim() as claim:
        assert claim is not None
        work.tell(claim, ended(claim, key, state), {})
        return claim


def test_as_many_configurations_as_asked_each_once(tmp_path: Path) -> None:
    claims = [finish(trials(tmp_path)) for _ in range(5)]
    assert [claim.slot for claim in claims] == [0, 1, 2, 3, 4]
    assert len({claim.fingerprint for claim in claims}) == 5
    with trials(tmp_path).claim() as none_left:
        assert none_left is None
    assert not trials(tmp_path).open


def test_two_workers_never_hold_the_same_configuration(tmp_path: Path) -> None:
    one, other = trials(tmp_path), trials(tmp_path)
    with one.claim() as first, other.claim() as second:
        assert first is not None
        assert second is not None
        assert (first.slot, second.slot) == (0, 1)
        assert first.fingerprint != second.fingerprint
        assert one.open


def test_what_a_dead_worker_claimed_is_tried_again_in_its_slot(tmp_path: Path) -> None:
    """A claim that is left without being told is that of a worker that died."""
    with trials(tmp_path).claim() as lost:
        assert lost is not None
    assert trials(tmp_path).open
    again = finish(trials(tmp_path))
    assert (again.slot, again.params, again.fingerprint) == (
        lost.slot,
        lost.params,
        lost.fingerprint,
    )
    assert finish(trials(tmp_path)).slot == 1
    states = [(row["slot"], row["state"]) for row in trials(tmp_path).rows()]
    assert states == [(0, "killed"), (0, "complete"), (1, "complete")]
    assert [one.state for one in trials(tmp_path).tried()] == ["complete", "complete"]


def test_a_kill_between_queueing_again_and_marking_does_not_queue_twice(tmp_path: Path) -> None:
    work = trials(tmp_path)
    with work.claim() as lost:
        assert lost is not None
    study = Storage(tmp_path, None).study(f"{tmp_path.name}/all")
    study.enqueue_trial(lost.params, dict(lost.trial.user_attrs))
    finish(trials(tmp_path))
    rows = trials(tmp_path).rows()
    assert [(row["slot"], row["state"]) for row in rows] == [(0, "killed"), (0, "complete")]


def test_a_kill_while_telling_leaves_no_second_result(tmp_path: Path) -> None:
    """The figures are noted, then the trial is told; a kill between must not list them twice."""
    work = trials(tmp_path)
    with work.claim() as lost:
        assert lost is not None
        lost.trial.set_user_attr("key", [0.9])
        lost.trial.set_constraint("low_tail_adjacent", -0.1)
    again = finish(trials(tmp_path), (0.5,))
    assert again.slot == lost.slot
    rows = trials(tmp_path).rows()
    found = [(row["slot"], row["state"], row["key"], row["excess"]) for row in rows]
    assert found == [(0, "killed", None, {}), (0, "complete", [0.5], {})]
    assert [one.key for one in trials(tmp_path).tried()] == [(0.5,)]


def test_the_next_proposals_are_the_same_after_a_kill(tmp_path: Path) -> None:
    whole = [finish(trials(tmp_path / "whole")).params for _ in range(5)]
    cut = [finish(trials(tmp_path / "cut")).params for _ in range(2)]
    with trials(tmp_path / "cut").claim():
        pass
    cut += [finish(trials(tmp_path / "cut")).params for _ in range(3)]
    assert cut == whole


def two_values(**more: Any) -> Space:
    """Return a space of four proposals that come to three configurations.

    Without weighting its cap means nothing, so that cap 1 and cap 2 are then the same.
    """
    return Space(
        small_search().base,
        {
            "training.weighting": Choice(kind="choice", values=("none", "sqrt_inv_freq")),
            "training.weight_cap": Choice(kind="choice", values=(1.0, 2.0)),
            **more,
        },
    )


def test_a_repeat_is_answered_from_its_first_trial_and_not_counted(tmp_path: Path) -> None:
    space = two_values()
    for _ in range(3):
        finish(trials(tmp_path, space))
    with trials(tmp_path, space).claim() as none_left:
        assert none_left is None
    work = trials(tmp_path, space)
    assert work.exhausted
    assert len(work.tried()) == 3
    repeats = [row for row in work.rows() if row["repeats"] is not None]
    assert repeats
    first = {row["number"]: row for row in work.rows() if row["slot"] is not None}
    for row in repeats:
        assert row["slot"] is None
        assert row["state"] == "complete"
        assert row["key"] == [0.5]
        assert row["fingerprint"] == first[row["repeats"]]["fingerprint"]
    size = len(work.rows())
    with trials(tmp_path, space).claim() as still_none:
        assert still_none is None
    assert len(work.rows()) == size


def test_a_repeat_of_what_is_being_tried_waits_for_nobody(tmp_path: Path) -> None:
    space = two_values()
    with contextlib.ExitStack() as held:
        claims = [held.enter_context(trials(tmp_path, space).claim()) for _ in range(4)]
        assert [claim is None for claim in claims] == [False, False, False, True]


def test_proposals_that_the_settings_refuse_are_not_tried(tmp_path: Path) -> None:
    """cap < 1 is refused by the settings; nothing but refusals is an infeasible space."""
    bad = Choice(kind="choice", values=(0.25, 0.5))
    with (
        pytest.raises(InputError, match="weight_cap"),
        trials(tmp_path, Space(small_search().base, {"training.weight_cap": bad})).claim(),
    ):
        pass


def test_a_trial_worse_than_the_others_on_the_same_folds_is_given_up(tmp_path: Path) -> None:
    rules = Pruning(keep_above=0.5, after_trials=3, after_folds=2)
    for key in ((0.5,), (0.6,), (0.7,), (0.8,)):
        finish(trials(tmp_path, pruning=rules), key)
    work = trials(tmp_path, pruning=rules)
    with work.claim() as claim:
        assert claim is not None
        assert not work.give_up(claim, 1, (0.0,))
        # No better is one of four, less than half; then two of four, which is enough.
        assert work.give_up(claim, 2, (0.55,))
        assert not work.give_up(claim, 3, (0.65,))
        assert work.give_up(claim, 4, None)
        # No other trial was seen after nine folds.
        assert not work.give_up(claim, 9, (0.1,))


def test_nothing_is_given_up_before_there_is_enough_to_compare_with(tmp_path: Path) -> None:
    rules = Pruning(keep_above=0.5, after_trials=3)
    for state in ("complete", "complete", "pruned"):
        finish(trials(tmp_path, pruning=rules), (0.9,), state)
    work = trials(tmp_path, pruning=rules)
    with work.claim() as claim:
        assert claim is not None
        assert not work.give_up(claim, 2, (0.0,))


def test_a_storage_that_lost_its_trials_is_told_them_again(tmp_path: Path) -> None:
    work = trials(tmp_path)
    with work.claim() as claim:
        assert claim is not None
        outcome = ended(claim, (0.25,))
        work.tell(claim, outcome, {"low_tail_adjacent": 0.1})
    (tmp_path / "journal.log").unlink()
    fresh = trials(tmp_path)
    for _ in range(2):
        fresh.restore([(outcome, {"low_tail_adjacent": 0.1})])
    [row] = fresh.rows()
    assert (row["slot"], row["state"], row["key"]) == (0, "complete", [0.25])
    assert row["excess"] == {"low_tail_adjacent": 0.1}
    assert finish(trials(tmp_path)).slot == 1


def test_optuna_sees_values_constraints_and_steps_as_its_own(tmp_path: Path) -> None:
    work = trials(tmp_path)
    with work.claim() as claim:
        assert claim is not None
        work.give_up(claim, 2, (0.4,))
        work.tell(claim, ended(claim, (0.5, 0.6)), {"low_tail_adjacent": -0.1})
    [trial] = Storage(tmp_path, None).study(f"{tmp_path.name}/all").trials
    assert trial.value == 0.5
    assert trial.intermediate_values == {2: 0.4}
    assert trial.constraints == {"low_tail_adjacent": -0.1}
    assert trial.params == claim.params
