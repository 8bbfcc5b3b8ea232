from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.record import write_record
from essay_scoring.records.search import Key, Outcome, SearchFolder, State
from essay_scoring.records.search_settings import Choice, Guardrails, Pruning, SearchSettings
from essay_scoring.search.objectives import TAILS, TailGuard
from essay_scoring.search.space import Space, space_of
from essay_scoring.search.storage import Storage, require_optuna
from essay_scoring.search.trials import Claim, Trials
from tests.search.made import made_outcome, small_search


@pytest.fixture(autouse=True)
def _quiet() -> None:
    require_optuna()


GUARD = TailGuard(made_outcome(), Guardrails())


def trials(folder: Path, space: Space | None = None, **changes: Any) -> Trials:
    """Return the trials of a part, opened anew as another worker would."""
    search, at = small_search("trials=5"), SearchFolder(folder)
    settings: SearchSettings = search.settings.model_copy(update=changes)
    return Trials(Storage(at, None), at, "all", space or space_of(search), settings, GUARD)


def study(folder: Path) -> Any:
    """Return Optuna's own study of the part."""
    return Storage(SearchFolder(folder), None).study(f"{folder.name}/all")


def ended(
    folder: Path, claim: Claim, key: Key | None = (0.5,), state: State = "complete", **more: Any
) -> Outcome:
    """Return an outcome of a claim after five folds, its file in the folder."""
    outcome = made_outcome(
        config=claim.config,
        state=state,
        key=key,
        steps={} if key is None else dict.fromkeys(range(2, 6), key),
        rounds=(None,) * 5,
        slot=claim.slot,
        params=claim.params,
        **more,
    )
    write_record(SearchFolder(folder).outcome("all", claim.fingerprint[:16]), outcome)
    return outcome


def finish(folder: Path, key: Key | None = (0.5,), state: State = "complete", **more: Any) -> Claim:
    """Claim and tell one trial."""
    work = trials(folder, **more)
    with work.claim() as claim:
        assert claim is not None
        work.tell(claim, ended(folder, claim, key, state))
        return claim


def test_as_many_configurations_as_asked_each_once(tmp_path: Path) -> None:
    claims = [finish(tmp_path) for _ in range(5)]
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
    again = finish(tmp_path)
    assert (again.slot, again.params, again.fingerprint) == (
        lost.slot,
        lost.params,
        lost.fingerprint,
    )
    assert finish(tmp_path).slot == 1
    states = [(row.slot, row.state) for row in trials(tmp_path).rows()]
    assert states == [(0, "killed"), (0, "complete"), (1, "complete")]
    assert [one.state for one in trials(tmp_path).tried()] == ["complete", "complete"]


def test_a_kill_between_queueing_again_and_marking_does_not_queue_twice(tmp_path: Path) -> None:
    work = trials(tmp_path)
    with work.claim() as lost:
        assert lost is not None
    study(tmp_path).enqueue_trial(lost.params, dict(lost.trial.user_attrs))
    finish(tmp_path)
    rows = trials(tmp_path).rows()
    assert [(row.slot, row.state) for row in rows] == [(0, "killed"), (0, "complete")]


def test_a_kill_while_telling_leaves_no_second_result(tmp_path: Path) -> None:
    """The outcome is written, then the trial is told; a kill between must not list it twice."""
    work = trials(tmp_path)
    with work.claim() as lost:
        assert lost is not None
        ended(tmp_path, lost, (0.9,))
        lost.trial.set_constraint("low_tail_adjacent", -0.1)
    assert [row.key for row in trials(tmp_path).rows()] == [(0.9,)]
    again = finish(tmp_path, (0.5,))
    assert again.slot == lost.slot
    rows = trials(tmp_path).rows()
    found = [(row.slot, row.state, row.key, row.excess) for row in rows]
    within = dict.fromkeys(TAILS, -0.01)
    assert found == [(0, "killed", None, {}), (0, "complete", (0.5,), within)]
    assert [one.key for one in trials(tmp_path).tried()] == [(0.5,)]


def test_a_trial_that_ends_while_another_worker_looks_for_dead_ones_is_not_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between listing running trials and looking at a lock, its owner tells and lets go."""
    owner, other = trials(tmp_path), trials(tmp_path)
    listed: list[bool] = []
    listing = Trials._trials

    def list_then_end(work: Trials) -> Any:
        rows = copy.deepcopy(listing(work))
        if work is other and not listed:
            listed.append(True)
            owner.tell(mine, ended(tmp_path, mine))
            held.close()
        return rows

    with contextlib.ExitStack() as held:
        claim = held.enter_context(owner.claim())
        assert claim is not None
        mine = claim
        monkeypatch.setattr(Trials, "_trials", list_then_end)
        with other.claim() as following:
            assert following is not None
            assert following.slot == 1
    assert [(row.slot, row.state) for row in owner.rows()] == [
        (0, "complete"),
        (1, "running"),
    ]


def test_the_next_proposals_are_the_same_after_a_kill(tmp_path: Path) -> None:
    whole = [finish(tmp_path / "whole").params for _ in range(5)]
    cut = [finish(tmp_path / "cut").params for _ in range(2)]
    with trials(tmp_path / "cut").claim():
        pass
    cut += [finish(tmp_path / "cut").params for _ in range(3)]
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
        finish(tmp_path, space=space)
    with trials(tmp_path, space).claim() as none_left:
        assert none_left is None
    work = trials(tmp_path, space)
    assert work.exhausted
    assert len(work.tried()) == 3
    repeats = [row for row in work.rows() if row.repeats is not None]
    assert repeats
    first = {row.number: row for row in work.rows() if row.slot is not None}
    for row in repeats:
        assert row.slot is None
        assert row.state == "complete"
        assert row.key == (0.5,)
        assert row.fingerprint == first[row.repeats or 0].fingerprint
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
        finish(tmp_path, key, pruning=rules)
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
        finish(tmp_path, (0.9,), state, pruning=rules)
    work = trials(tmp_path, pruning=rules)
    with work.claim() as claim:
        assert claim is not None
        assert not work.give_up(claim, 2, (0.0,))


def test_a_storage_that_lost_its_trials_is_told_them_again(tmp_path: Path) -> None:
    work = trials(tmp_path)
    with work.claim() as claim:
        assert claim is not None
        figures = {"low_tail_adjacent": 0.39, "high_tail_adjacent": 0.5}
        work.tell(claim, ended(tmp_path, claim, (0.25,), figures=figures))
    (tmp_path / "journal.log").unlink()
    fresh = trials(tmp_path)
    for _ in range(2):
        fresh.restore()
    [row] = fresh.rows()
    assert (row.slot, row.state, row.key) == (0, "complete", (0.25,))
    assert row.excess == {"low_tail_adjacent": 0.1, "high_tail_adjacent": -0.01}
    assert row.feasible is False
    assert study(tmp_path).trials[0].constraints == row.excess
    assert finish(tmp_path).slot == 1


def test_optuna_sees_values_constraints_and_steps_as_its_own(tmp_path: Path) -> None:
    work = trials(tmp_path)
    with work.claim() as claim:
        assert claim is not None
        work.give_up(claim, 2, (0.4,))
        work.tell(claim, ended(tmp_path, claim, (0.5, 0.6)))
    [trial] = study(tmp_path).trials
    assert trial.value == 0.5
    assert trial.intermediate_values == {2: 0.4}
    assert trial.constraints == dict.fromkeys(TAILS, -0.01)
    assert trial.params == claim.params
