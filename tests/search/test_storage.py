from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import try_lock
from essay_scoring.records.search import SearchFolder
from essay_scoring.search.storage import (
    JournalLock,
    Storage,
    require_optuna,
)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    require_optuna()


def test_a_study_is_made_once_and_then_found_without_writing(tmp_path: Path) -> None:
    study = Storage(SearchFolder(tmp_path), None).study("s/all")
    study.set_user_attr("known", 1)
    size = (SearchFolder(tmp_path).journal).stat().st_size
    assert Storage(SearchFolder(tmp_path), None).study("s/all").user_attrs == {"known": 1}
    assert (SearchFolder(tmp_path).journal).stat().st_size == size


def test_a_line_torn_off_by_a_full_disk_is_mended_and_nothing_before_it_lost(
    tmp_path: Path,
) -> None:
    """Optuna alone would append to the torn line, and could never read what follows it again."""
    study = Storage(SearchFolder(tmp_path), None).study("s")
    study.enqueue_trial({"x": 1.0})
    with (SearchFolder(tmp_path).journal).open("ab") as stream:
        stream.write(b'{"op_code":4,"worker_id":"dead","stu')
    again = Storage(SearchFolder(tmp_path), None).study("s")
    assert len(again.trials) == 1
    again.enqueue_trial({"x": 2.0})
    found = Storage(SearchFolder(tmp_path), None).study("s").trials
    assert [trial.system_attrs["fixed_params"]["x"] for trial in found] == [1.0, 2.0]


def test_the_journals_lock_lies_beside_the_folder_and_is_free_again(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / "search")
    Storage(folder, None).study("s")
    assert sorted(folder.path.iterdir()) == [folder.journal]
    with try_lock(folder.locks / folder.journal.name) as free:
        assert free


def test_a_lock_is_let_go_when_mending_fails(tmp_path: Path) -> None:
    lock = JournalLock(tmp_path / "absent.log", tmp_path / "lock")
    with pytest.raises(FileNotFoundError):
        lock.acquire()
    with try_lock(tmp_path / "lock") as free:
        assert free


def test_a_database_is_a_storage_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    Storage(SearchFolder(tmp_path), url).study("s").enqueue_trial({"x": 1.0})
    assert len(Storage(SearchFolder(tmp_path), url).study("s").trials) == 1
    assert not (SearchFolder(tmp_path).journal).exists()


@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "sqlite:////no/such/folder/trials.db",
        "nosuchdatabase://someone:secret@nowhere/trials",
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_clear_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Storage(SearchFolder(tmp_path), url).study("s")
    line = caught.value.line()
    assert "the storage does not answer" in line
    assert "no finished trial is lost" in line
    assert "secret" not in line
    assert caught.value.__suppress_context__


def test_a_journal_that_is_no_journal_is_one_clear_error(tmp_path: Path) -> None:
    (SearchFolder(tmp_path).journal).write_bytes(b"not a journal\nnor this\n")
    with pytest.raises(InputError, match="the storage does not answer"):
        Storage(SearchFolder(tmp_path), None).study("s")
