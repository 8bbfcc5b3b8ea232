"""A search cut into the steps of a launch: columns, workers, the ending."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.records.workspace import Workspace
from essay_scoring.search.search_steps import search_steps
from tests.search.made import finished_search, small_search
from tests.studies.quick_studies import use_quick_columns


def test_steps_are_left_until_the_search_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_quick_columns(monkeypatch, tmp_path / "computed")
    space = Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path)
    search = small_search("trials=2", "startup_trials=2")
    columns, trials, end = search_steps(search, space, 3).all()
    assert (columns.name, columns.is_done, columns.after) == ("columns", False, ())
    assert (trials.name, trials.missing, trials.after) == ("trials", (0, 1, 2), ("columns",))
    assert (end.is_array, end.is_done, end.after) == (False, False, ("trials",))
    steps = search_steps(search, space, 3)
    with pytest.raises(InputError, match="no task 99"):
        steps.compute_columns(99)
    for number in columns.missing:
        steps.compute_columns(number)
    assert [step.is_done for step in search_steps(search, space, 3).all()] == [True, False, False]
    folder = finished_search(space, search)
    done = search_steps(search, space, 3)
    assert done.folder == folder
    assert done.is_complete
    assert all(step.is_done and not step.missing for step in done.all())
