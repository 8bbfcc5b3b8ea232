"""The locked test is opened once, whoever asks, from wherever, and whatever was edited before."""

from __future__ import annotations

import csv
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacks.commands import refusal, run_command
from tests.attacks.edited import edit
from tests.attacks.locked_place import LEDGER, Place, decided_place, write_rows
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return decided_place(tmp_path_factory.mktemp("locked"))


@pytest.fixture
def place(template: Place, tmp_path: Path) -> Place:
    """The decided study, in a folder of the test's own."""
    shutil.copytree(template.home, tmp_path / "home")
    return Place(tmp_path / "home")


def opened(place: Place) -> Path:
    """Open the locked test once, as it should be, and return the folder."""
    done = place.final()
    assert done.returncode == 0, done.stderr
    assert "decided minus reference" in done.stdout
    assert len(place.entries) == 1
    [path] = place.scored
    return path.parent.parent


def lock_out(place: Place) -> None:
    """Let no ledger be written beside the data.

    A folder in the place of the lock stands for what a user may not write: root writes anywhere.
    """
    lock = place.data / "locked_test_ledger.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()


def reverse_locked(place: Place) -> None:
    """Turn the rows of the locked test round."""
    path = place.data / "locked.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream)
    write_rows(path, [head, *reversed(rows)])


@pytest.mark.parametrize("more", [(), ("--again", "a wrong scale")], ids=["first", "again"])
def test_of_four_at_once_one_scores(place: Place, more: tuple[str, ...]) -> None:
    running = [
        subprocess.Popen(
            place.line(*more),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    ended = []
    for process in running:
        out, err = process.communicate(timeout=300)
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    assert len(place.entries) == 1
    assert len(place.scored) == 1
    assert 0 in [done.returncode for done in ended]
    for done in ended:
        if done.returncode:
            refusal(done, done.returncode)
            assert done.returncode in (4, 5)


def test_reversed_rows_are_the_same_essays(place: Place) -> None:
    opened(place)
    reverse_locked(place)
    assert "12 of 12 essays were opened on 2" in refusal(place.final())
    assert len(place.scored) == 1


def test_some_of_the_essays_are_enough(place: Place) -> None:
    opened(place)
    path = place.data / "locked.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    fresh = [[f"fresh{k}", row[1] + " Further words.", *row[2:]] for k, row in enumerate(rows[4:])]
    write_rows(path, [*rows[:4], *fresh])
    line = refusal(place.final())
    assert "3 of 12 essays were opened on 2" in line
    assert f"for {place.decided.name}" in line


def test_another_runs_folder_is_the_same_locked_test(place: Place) -> None:
    opened(place)
    other = replace(place, home=place.home.parent / "other")
    for name in ("runs", "cache"):
        shutil.copytree(place.home / name, other.home / name)
    for folder in other.runs.glob("*-final-*"):
        shutil.rmtree(folder)
    assert "12 of 12 essays" in refusal(other.final(data=place.data))
    assert other.scored == []


def test_an_opening_cut_short_is_not_taken_up_in_another_runs_folder(place: Place) -> None:
    folder = opened(place)
    for path in (folder / "manifest.json", folder / "artifacts"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    other = replace(place, home=place.home.parent / "other")
    for name in ("runs", "cache"):
        shutil.copytree(place.home / name, other.home / name)
    assert "12 of 12 essays" in refusal(other.final(data=place.data))
    assert other.scored == []


@pytest.mark.parametrize("left", [[], [".opening.json.0a.partial.json"], ["opening.json"]])
def test_a_kill_before_the_ledger_was_written_opens_once_in_the_same_folder(
    place: Place, left: list[str]
) -> None:
    folder = opened(place)
    written = (folder / "opening.json").read_bytes()
    for path in (folder, *place.data.glob("locked_test_ledger*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(written)
    assert opened(place) == folder
    assert not list(folder.glob("*.partial*"))
    assert f"for {place.decided.name}, in {folder.name}" in refusal(place.final())


def test_an_opening_of_another_reason_is_no_opening_of_this_one(place: Place) -> None:
    folder = opened(place)
    edit(folder / "opening.json", lambda record: record.update(reason="a wrong scale"))
    for path in folder.iterdir():
        if path.name != "opening.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in place.data.glob("locked_test_ledger*"):
        path.unlink()
    assert "the ledger lacks it" in refusal(place.final())


def test_a_removed_ledger_is_missed(place: Place) -> None:
    opened(place)
    for path in place.data.glob("locked_test_ledger*"):
        path.unlink()
    line = refusal(place.final())
    assert "12 of 12 essays were opened" in line
    assert "the ledger lacks it" in line


def test_a_removed_ledger_is_missed_whatever_its_folder_says(place: Place) -> None:
    folder = opened(place)
    for path in place.data.glob("locked_test_ledger*"):
        path.unlink()
    edit(folder / "opening.json", lambda record: record.update(locked=["0" * 64]))
    line = refusal(place.final())
    assert "12 of 12 essays may have been opened" in line
    assert "the ledger lacks it" in line


def test_a_line_cut_from_the_ledger_is_missed(place: Place) -> None:
    opened(place)
    (place.data / LEDGER).write_text("")
    assert "line 1 was removed" in refusal(place.final())


def test_another_ledger_is_refused_where_the_data_folder_can_be_written(place: Place) -> None:
    elsewhere = place.home / "elsewhere"
    elsewhere.mkdir()
    line = refusal(place.final("--ledger-dir", str(elsewhere)))
    assert "lies in the data folder, which can be written" in line
    assert not (elsewhere / LEDGER).exists()
    assert place.entries == []


def test_another_ledger_does_not_hide_the_one_beside_the_data(place: Place) -> None:
    shutil.rmtree(opened(place))
    lock_out(place)
    elsewhere = place.home / "elsewhere"
    elsewhere.mkdir()
    assert "12 of 12 essays" in refusal(place.final("--ledger-dir", str(elsewhere)))
    assert not (elsewhere / LEDGER).exists()


def test_a_data_folder_that_cannot_be_written_says_how_to_name_another(place: Place) -> None:
    lock_out(place)
    line = refusal(place.final(), 2)
    assert "--ledger-dir" in line
    assert "ESSAY_SCORING_LEDGER" in line
    assert place.scored == []
    elsewhere = place.home / "elsewhere"
    elsewhere.mkdir()
    done = run_command(place.line(), {"ESSAY_SCORING_LEDGER": str(elsewhere)})
    assert done.returncode == 0, done.stderr
    assert (elsewhere / LEDGER).is_file()


def test_an_edited_study_opens_nothing(place: Place) -> None:
    edit(place.study / "study.json", lambda record: record.update(reason="because"))
    assert "checksum differs" in refusal(place.final())
    assert place.entries == []


def test_an_edited_reference_opens_nothing(place: Place) -> None:
    [reference] = place.runs.glob("reference-*")
    edit(reference / "config.json", lambda record: record.update(seed=7))
    assert "checksum differs" in refusal(place.final())
    assert place.entries == []
