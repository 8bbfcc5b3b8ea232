"""The openings of locked tests: each recorded before a score is read, and none made twice.

An opening is known by its essays. It is looked for in the ledger beside the data, in the ledger of
a folder that was named instead, and in the final-test folders of the runs folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import EssayScoringError, EvidenceError, InputError
from essay_scoring.core.record import read_record, write_record
from essay_scoring.core.text import text_hash
from essay_scoring.data.prepared import LOCKED, PreparedData, read_essays
from essay_scoring.records import provenance
from essay_scoring.records.ledger import Ledger, now
from essay_scoring.records.locked_test import FINAL_TEST, OPENING, Opening, OpeningEntry
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.workspace import LOCKED_LEDGER, Workspace

FIRST = "the decided run"
"""The reason of an opening that needs none."""


@dataclass(frozen=True)
class Wish:
    """A locked test that is to be opened: for which runs, decided by which study, and why again."""

    prepared: PreparedData
    run: str
    reference: str | None
    study: str
    again: str | None = None

    @property
    def reason(self) -> str:
        """Why it is opened."""
        return self.again or FIRST


def enter(wish: Wish, space: Workspace) -> tuple[Path, Opening]:
    """Return the folder of an opening and its record, which the ledger holds from then on.

    An opening that was cut short is entered again, by the same command in the same folder. All of
    it is decided under the ledger's lock. Raises EvidenceError where any of the essays was opened
    before and no new reason is given, InputError where the ledger cannot be written.
    """
    ledger = Ledger(space.ledger, OpeningEntry)
    _require_folder(ledger.path.parent)
    _require_needed(space, ledger)
    try:
        with ledger.held() as entries:
            return _enter(wish, space, ledger, entries)
    except OSError as error:
        raise _no_ledger(f"cannot be written ({error.strerror})", ledger.path.parent) from None


def _enter(
    wish: Wish, space: Workspace, ledger: Ledger[OpeningEntry], entries: Sequence[OpeningEntry]
) -> tuple[Path, Opening]:
    listed = [entry.what() for entry in (*entries, *_beside_data(space, ledger))]
    locked = read_essays(wish.prepared.folder / LOCKED)
    texts = tuple(sorted({text_hash(text) for text in locked.texts}))
    past = [entry for entry in listed if set(entry.locked) & set(texts)]
    for entry in past:
        folder = space.runs / entry.folder
        if _is_this(entry, wish, texts, folder) and folder.is_dir() and not is_complete(folder):
            return folder, entry
    unlisted = [
        _told(*found, texts)
        for found in _unlisted(space.runs, listed, texts)
        if not _is_unbegun(found[0], wish, texts)
    ]
    if unlisted and wish.again is None:
        raise _refused(f"{unlisted[-1]}, and the ledger lacks it", ledger)
    given = [entry for entry in past if (entry.run, entry.reason) == (wish.run, wish.reason)]
    if past and (wish.again is None or given):
        raise _refused(_line((given or past)[-1], texts), ledger)
    return _record(wish, space, ledger, texts, len(past) + len(unlisted) + 1)


def _record(
    wish: Wish, space: Workspace, ledger: Ledger[OpeningEntry], texts: tuple[str, ...], number: int
) -> tuple[Path, Opening]:
    """Make the folder of a new opening, then add it to the ledger."""
    taken = number
    while _is_taken(folder := space.runs / f"{wish.run}-final-{taken}", wish, texts):
        taken += 1
    opening = Opening(
        locked=texts,
        locked_sha256=wish.prepared.manifest["locked_sha256"],
        run=wish.run,
        reference=wish.reference,
        study=wish.study,
        folder=folder.name,
        place=_place(folder),
        opening=number,
        reason=wish.reason,
        opened=now(),
        git=provenance.git_state(),
    )
    write_record(folder / OPENING, opening)
    ledger.append(opening)
    return folder, opening


def _is_this(entry: Opening, wish: Wish, texts: tuple[str, ...], folder: Path) -> bool:
    asked = (wish.run, wish.reference, wish.study, wish.reason, texts, _place(folder))
    there = (entry.run, entry.reference, entry.study, entry.reason, entry.locked, entry.place)
    return asked == there


def _is_taken(folder: Path, wish: Wish, texts: tuple[str, ...]) -> bool:
    return folder.exists() and not _is_unbegun(folder, wish, texts)


def _is_unbegun(folder: Path, wish: Wish, texts: tuple[str, ...]) -> bool:
    """Tell whether a kill left a folder of this very wish before the ledger held its opening.

    No locked score is read before that, and what is read leaves other files there.
    """
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir() if not path.name.startswith(f".{OPENING}.")}
    opening = _opening_in(folder)
    there = opening is not None and _is_this(opening, wish, texts, folder)
    return not names or (there and names == {OPENING})


def _place(folder: Path) -> str:
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()


def _beside_data(space: Workspace, ledger: Ledger[OpeningEntry]) -> list[OpeningEntry]:
    """Return what the ledger beside the data holds where another folder was named for it."""
    beside = _other(space, ledger)
    return [] if beside is None else beside.entries()


def _other(space: Workspace, ledger: Ledger[OpeningEntry]) -> Ledger[OpeningEntry] | None:
    """Return the ledger beside the data where it is not the one that was named."""
    beside = space.data / LOCKED_LEDGER
    return None if beside.resolve() == ledger.path.resolve() else Ledger(beside, OpeningEntry)


def _require_needed(space: Workspace, ledger: Ledger[OpeningEntry]) -> None:
    """Raise EvidenceError for another ledger than that beside the data where that can be used.

    Otherwise whoever names ever new folders has ever new ledgers.
    """
    beside = _other(space, ledger)
    if beside is None or not space.data.is_dir():
        return
    try:
        with beside.held():
            pass
    except OSError:
        return
    raise EvidenceError(
        "the ledger of the locked test lies in the data folder, which can be written",
        where=str(space.data),
        mend="leave out --ledger-dir and ESSAY_SCORING_LEDGER",
    )


def _unlisted(
    runs: Path, listed: Sequence[Opening], texts: tuple[str, ...]
) -> list[tuple[Path, Opening | None]]:
    """Return final-test folders with any of the essays that no ledger holds.

    What an unreadable or edited one opened is unknown (None): it may be all of them.
    """
    out: list[tuple[Path, Opening | None]] = []
    for folder in sorted(runs.glob("*-final-*")):
        if not any((folder / name).exists() for name in (OPENING, FINAL_TEST)):
            continue
        opening = _opening_in(folder)
        if opening is None or (opening not in listed and set(opening.locked) & set(texts)):
            out.append((folder, opening))
    return out


def _opening_in(folder: Path) -> Opening | None:
    try:
        if is_complete(folder):
            require_intact(folder)
        return read_record(Opening, folder / OPENING)
    except EssayScoringError:
        return None


def _told(folder: Path, opening: Opening | None, texts: tuple[str, ...]) -> str:
    if opening is None:
        return f"{len(texts)} of {len(texts)} essays may have been opened in {folder.name}"
    return _line(opening, texts)


def _line(opening: Opening, texts: tuple[str, ...]) -> str:
    n = len(set(opening.locked) & set(texts))
    when = f"{n} of {len(texts)} essays were opened on {opening.opened[:10]}"
    return f"{when} for {opening.run}, in {opening.folder}"


def _refused(what: str, ledger: Ledger[OpeningEntry]) -> EvidenceError:
    return EvidenceError(
        what,
        where=str(ledger.path),
        mend="keep that figure, or open the locked test --again with a new reason",
    )


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise _no_ledger("no such folder", folder)


def _no_ledger(what: str, folder: Path) -> InputError:
    return InputError(
        f"the ledger of the locked test has no place: {what}",
        where=str(folder),
        mend="name the data folder with --data-dir, or a folder for the ledger with --ledger-dir "
        "or ESSAY_SCORING_LEDGER",
    )
