"""What refers to a folder keeps it, what holds it keeps it, and what goes, goes at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import try_lock, write_json, write_text
from essay_scoring.core.record import write_record
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.listed import NOTES, FolderNote, change_note, edited, read_notes
from essay_scoring.records.locked_test import Opening, OpeningEntry
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.more_records import RegisterEntry
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.removal import Removal, found
from tests.ledger_lines import registered_plan
from tests.records.made import ENVIRONMENT
from tests.reports.made_card import (
    STATUS,
    audit_of,
    finished_run,
    study_of,
    trained_model,
    traits_of,
)

OPENING: dict[str, Any] = {
    "locked": ["a" * 64],
    "locked_sha256": "a" * 64,
    "run": "r-1",
    "reference": None,
    "study": "made-1",
    "folder": "r-1-final-1",
    "place": "b" * 64,
    "opening": 1,
    "reason": "the decided run",
    "opened": "2026-01-02",
    "git": ENVIRONMENT["git"],
}


@dataclass(frozen=True)
class House:
    """A runs folder with one run, and models and data beside it."""

    root: Path

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def removal(self, *names: str) -> Removal:
        space = Workspace(self.runs, self.root / "cache", self.data)
        targets = tuple(found(name, self.runs, self.models) for name in names)
        return Removal(space, self.models, targets)

    def referring(self, *names: str) -> list[str]:
        return [Path(one.by).name for one in self.removal(*names).references()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    finished_run(tmp_path / "runs")
    return House(tmp_path)


def a_study(house: House) -> None:
    write_manifest(study_of(house.runs).parent)


def a_broken_study(house: House) -> None:
    a_study(house)
    write_text(house.runs / "studies" / "made-1" / "study.json", '{"decided_run": "r-1", [')


def a_model(house: House) -> None:
    trained_model(house.models, house.runs / "r-1")


def a_registration(house: House) -> None:
    register = Ledger(house.runs / "plan_register.jsonl", RegisterEntry)
    register.append(registered_plan("lift", {"r-1": "c" * 64}))


def an_opening(house: House) -> None:
    Ledger(house.data / "locked_test_ledger.jsonl", OpeningEntry).append(Opening(**OPENING))


def an_opening_where_the_data_were(house: House) -> None:
    elsewhere = house.root / "elsewhere"
    Ledger(elsewhere / "locked_test_ledger.jsonl", OpeningEntry).append(Opening(**OPENING))
    write_json(house.runs / "r-1" / "status.json", STATUS | {"data_folder": str(elsewhere)})


def a_final_test(house: House) -> None:
    folder = house.runs / "r-1-final-1"
    write_record(folder / "opening.json", Opening.model_validate(OPENING))
    write_manifest(folder)


@pytest.mark.parametrize(
    ("refer", "by"),
    [
        (a_study, "made-1"),
        (a_broken_study, "made-1"),
        (a_model, "m-1"),
        (a_registration, "plan_register.jsonl"),
        (an_opening, "locked_test_ledger.jsonl"),
        (an_opening_where_the_data_were, "locked_test_ledger.jsonl"),
        (a_final_test, "r-1-final-1"),
    ],
)
def test_what_refers_to_a_run_is_named(
    house: House, refer: Callable[[House], None], by: str
) -> None:
    assert house.referring("r-1") == []
    refer(house)
    assert house.referring("r-1") == [by]


def test_what_goes_too_keeps_nothing(house: House) -> None:
    a_study(house)
    traits_of(house.runs, "made-1")
    a_model(house)
    assert house.referring("made-1") == ["t-1"]
    assert house.referring("r-1", "made-1", "t-1", "m-1") == []


def test_a_tampered_ledger_keeps_all_that_it_may_name(house: House) -> None:
    write_text(house.data / "locked_test_ledger.jsonl", "{}\n")
    assert house.referring("r-1") == ["locked_test_ledger.jsonl"]


def test_a_final_test_is_the_record_of_an_opening(house: House) -> None:
    a_final_test(house)
    assert len(house.removal("r-1-final-1").references()) == 1


def test_a_folder_goes_with_its_audit_its_card_and_its_note(house: House) -> None:
    audit_of(house.runs)
    write_text(house.runs / "cards" / "r-1" / "MODEL_CARD.md", "made")
    change_note(house.runs, "r-1", lambda note: edited(note, add=["old"]))
    house.removal("r-1").carry_out()
    left = sorted(path.name for path in house.runs.rglob("*") if path.is_file())
    assert left == [".notes.json.lock", NOTES]
    assert read_notes(house.runs).folders == {}


@pytest.mark.parametrize("lock", ["r-1/.lock", "searches/.locks/s-1/all/3", "studies/s-2/.lock"])
def test_what_a_live_process_may_need_is_not_removed(house: House, lock: str) -> None:
    (house.runs / "searches" / "s-1").mkdir(parents=True)
    (house.runs / "studies" / "s-2").mkdir(parents=True)
    name = "s-1" if "s-1" in lock else "r-1"
    house.removal(name).require_free()
    with try_lock(house.runs / lock) as held:
        assert held
        with pytest.raises(BusyError):
            house.removal(name).require_free()


def test_a_folder_that_comes_to_be_held_meanwhile_stays_whole(house: House) -> None:
    removal = house.removal("r-1")
    with try_lock(house.runs / "r-1" / ".lock"), pytest.raises(BusyError):
        removal.carry_out()
    assert (house.runs / "r-1" / "manifest.json").is_file()


def test_of_a_link_only_the_link_is_removed(house: House) -> None:
    (house.runs / "link").symlink_to(house.runs / "r-1")
    house.removal("link").carry_out()
    assert not (house.runs / "link").is_symlink()
    assert (house.runs / "r-1" / "manifest.json").is_file()


def test_a_folder_is_named_as_it_is_listed_or_by_its_path(house: House) -> None:
    a_study(house)
    by_path = found(str(house.runs / "studies" / "made-1"), house.runs, house.models)
    assert by_path == found("studies/made-1", house.runs, house.models)
    for wrong in ("mad", "..", "runs", "", str(house.root)):
        with pytest.raises(InputError, match="nothing of this name"):
            found(wrong, house.runs, house.models)


def test_processes_that_write_notes_at_once_undo_nothing(tmp_path: Path) -> None:
    def tag(number: int) -> FolderNote:
        return change_note(tmp_path, f"r-{number % 3}", lambda old: edited(old, add=[f"t{number}"]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tag, range(24)))
    notes = read_notes(tmp_path).folders
    assert sum(len(note.tags) for note in notes.values()) == 24


def test_an_edit_says_what_cannot_be_a_tag_or_a_note() -> None:
    note = edited(FolderNote(), add=["b", "a"], text=" two\nlines ")
    assert note == FolderNote(tags=("a", "b"), note="two lines")
    assert edited(note, drop=["a"]) == replace_tags(note, "b")
    for wrong in ("", "two words", "-x", "x" * 41):
        with pytest.raises(InputError, match="cannot be a tag"):
            edited(note, add=[wrong])
    with pytest.raises(InputError, match="longer than"):
        edited(note, text="x" * 501)


def replace_tags(note: FolderNote, *tags: str) -> FolderNote:
    return FolderNote(tags=tags, note=note.note)
