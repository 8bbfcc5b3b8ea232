"""What is said of the folders below a runs folder and a models folder, and users' notes on them.

Tags and notes lie in `notes.json` beside the folders, never inside: a sealed folder is not entered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from essay_scoring.core.errors import InputError, visible
from essay_scoring.core.files import wait_lock
from essay_scoring.core.record import Record, read_record, write_record
from essay_scoring.statistics.agreement import Estimate

NOTES = "notes.json"

ListedKind = Literal["study", "traits", "run", "final-test", "search", "model"]
ListedState = Literal["complete", "running", "interrupted", "failed", "killed", "unreadable"]

_TAG = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,39}"
_MOST_NOTE = 500


class FolderNote(Record):
    """What a user wrote down about a folder."""

    tags: tuple[Annotated[str, Field(pattern=f"^{_TAG}$")], ...] = Field(
        default=(), description="words to find it by, in order of name"
    )
    note: str = Field(default="", max_length=_MOST_NOTE, description="one line")


class FolderNotes(Record):
    """notes.json of a runs folder or a models folder: what users wrote down about folders in it."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    folders: dict[str, FolderNote] = Field(default={}, description="by path below this folder")


class Listed(Record):
    """A run, study, search or model, as its folder says of itself; null where it does not."""

    kind: ListedKind = Field(description="what it is")
    name: str = Field(description="its folder's name")
    folder: str = Field(description="its path below the runs folder or the models folder")
    state: ListedState = Field(description="unreadable: its files are not as they were written")
    problem: str | None = Field(default=None, description="why it cannot be read, or failed")
    stage: str | None = Field(default=None, description="of one that is not complete: how far")
    date: str | None = Field(
        default=None, description="its end or last sign of life, UTC, ISO 8601"
    )
    about: str | None = Field(default=None, description="a study's question, a search's objective")
    method: str | None = Field(default=None, description="the scorer's family; of a study the arm")
    scheme: str | None = Field(default=None, description="how essays were held out")
    n: int | None = Field(default=None, description="essays")
    qwk: Estimate | None = Field(
        default=None, description="pooled QWK; of a model, of the run it was trained after"
    )
    mae: Estimate | None = Field(default=None, description="mean absolute error, likewise")
    outcome: str | None = Field(default=None, description="a study's decision, in short")
    audit: str | None = Field(default=None, description="how many sections of its audit ended how")
    bytes: int = Field(description="size of its files")
    tags: tuple[str, ...] = Field(default=(), description="as users wrote down")
    note: str = Field(default="", description="as users wrote down")


class Listing(Record):
    """What `runs --json` prints: all that lies in a runs folder and a models folder."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of this record")
    entries: tuple[Listed, ...] = Field(description="the latest first")


def read_notes(root: Path) -> FolderNotes:
    """Return the notes of a folder of folders; InputError for a file that is not one of them."""
    path = root / NOTES
    return read_record(FolderNotes, path) if path.is_file() else FolderNotes()


def change_note(root: Path, folder: str, change: Callable[[FolderNote], FolderNote]) -> FolderNote:
    """Return the changed note of a folder once it is written; an empty one is dropped.

    Processes that change notes at once wait for each other, so that none undoes another's.
    """
    with wait_lock(root / f".{NOTES}.lock"):
        notes = read_notes(root).folders
        note = change(notes.get(folder, FolderNote()))
        others = {name: one for name, one in notes.items() if name != folder}
        kept = others if note == FolderNote() else {**others, folder: note}
        if kept != notes:
            write_record(root / NOTES, FolderNotes(folders=dict(sorted(kept.items()))))
    return note


def edited(
    note: FolderNote,
    *,
    add: Sequence[str] = (),
    drop: Sequence[str] = (),
    text: str | None = None,
) -> FolderNote:
    """Return a note with tags added and dropped, and its text replaced unless it is None.

    Raises InputError for what cannot be a tag or a note.
    """
    for tag in add:
        if not re.fullmatch(_TAG, tag):
            raise InputError(
                f"{tag[:80]!r} cannot be a tag",
                mend="use 1 to 40 letters, digits, '.', '_', '+' and '-', first a letter or digit",
            )
    line = note.note if text is None else visible(text).strip()
    if len(line) > _MOST_NOTE:
        raise InputError(f"the note is longer than {_MOST_NOTE} characters", mend="shorten it")
    return FolderNote(tags=tuple(sorted({*note.tags, *add} - {*drop})), note=line)
