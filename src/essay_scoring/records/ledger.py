"""A ledger: a file to which lines are only ever added, so that what was once said stays said.

Every line is a JSON object with its number (`entry`) and the sha256 of the line before
(`previous`); a small file beside it, NAME.head, holds the number and the sha256 of the last line.
A line that was edited, removed, or cut off the end is found whenever the ledger is read. Whoever
can write all of these files can still forge them: this guards against edits, not against forgers.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from essay_scoring.core.errors import BusyError, EvidenceError, InputError
from essay_scoring.core.files import parsed, read_json, try_lock, write_json, write_text
from essay_scoring.core.fingerprint import canonical_json
from essay_scoring.core.record import Record
from essay_scoring.core.settings import build_settings
from essay_scoring.records.more_records import LedgerEntry

NOTHING = "0" * 64
"""What the first line gives as the hash of the line before it."""

_TRIES, _PAUSE_SECONDS = 100, 0.05


Entry = TypeVar("Entry", bound=LedgerEntry)


class Ledger(Generic[Entry]):
    """The ledger at a path, each line an entry of a kind; one without lines has no file."""

    def __init__(self, path: Path, kind: type[Entry]) -> None:
        self.path, self._kind = path, kind

    @property
    def _head(self) -> Path:
        return self.path.with_suffix(".head")

    def entries(self) -> list[Entry]:
        """Return every entry, oldest first; raise EvidenceError if any line was tampered with."""
        return [self._entry(number, line) for number, line in enumerate(self._lines(), start=1)]

    def line(self, entry: int) -> str:
        """Return the line of an entry, counted from 1, as it stands in the file."""
        return self._lines()[entry - 1]

    @contextlib.contextmanager
    def held(self) -> Iterator[list[Entry]]:
        """Yield the entries while no other process may append; BusyError after five seconds."""
        for _ in range(_TRIES):
            with try_lock(self.path.with_suffix(".lock")) as free:
                if free:
                    yield self.entries()
                    return
            time.sleep(_PAUSE_SECONDS)
        raise BusyError("another process is writing it", where=str(self.path), mend="try again")

    def append(self, said: Record) -> Entry:
        """Add an entry, with its number and the time; to be called while the ledger is `held`.

        `said` holds every field of an entry but those that all ledgers have.
        """
        lines = self._lines()
        whole = {
            **said.model_dump(mode="json"),
            "entry": len(lines) + 1,
            "previous": _sha256(lines[-1]) if lines else NOTHING,
            "time": now(),
        }
        entry = self._kind.model_validate(whole)
        lines.append(canonical_json(whole))
        # Written whole, so that no kill leaves half a line; then the head. A reader takes the head
        # first, and so never sees one that is ahead of the lines.
        write_text(self.path, "\n".join(lines) + "\n")
        write_json(self._head, {"entry": len(lines), "sha256": _sha256(lines[-1])})
        return entry

    def _entry(self, number: int, line: str) -> Entry:
        try:
            return build_settings(self._kind, json.loads(line), "")
        except InputError as error:
            raise self._tampered(f"line {number} is of another shape ({error.what})") from None

    def _lines(self) -> list[str]:
        """Return the lines, having checked that each holds the hash of the one before."""
        last, last_sha256 = self._last()
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        lines, previous = text.splitlines(), NOTHING
        for number, line in enumerate(lines, start=1):
            entry = _parsed(line)
            if not isinstance(entry.get("entry"), int):
                raise self._tampered(f"line {number} was edited")
            if entry["entry"] != number:
                raise self._tampered(f"line {number} was removed or moved")
            if entry.get("previous") != previous:
                raise self._tampered(f"line {max(number - 1, 1)} was edited")
            previous = _sha256(line)
        if last > len(lines):
            raise self._tampered(f"line {len(lines) + 1} was removed")
        if last and _sha256(lines[last - 1]) != last_sha256:
            raise self._tampered(f"line {last} was edited")
        # A process killed before it wrote the head leaves one line more than the head knows.
        if last < len(lines) - 1:
            raise self._tampered(f"{self._head.name} does not name the last line")
        return lines

    def _last(self) -> tuple[int, str]:
        """Return the number and the hash of the last line as the head has them, 0 without one."""
        if not self._head.exists():
            return 0, NOTHING
        odd = (InputError, KeyError, TypeError, ValueError, OverflowError)
        with contextlib.suppress(*odd):
            head = read_json(self._head)
            if (entry := int(head["entry"])) > 0:
                return entry, str(head["sha256"])
        raise self._tampered(f"{self._head.name} was edited")

    def _tampered(self, what: str) -> EvidenceError:
        return EvidenceError(
            f"{what}: this record is only ever appended to",
            where=str(self.path),
            mend=f"restore it, and {self._head.name} beside it, from a copy",
        )


def now() -> str:
    """Return the time in UTC to the microsecond, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def _sha256(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _parsed(line: str) -> dict[str, Any]:
    """Return a line's JSON object, an empty one where it holds none."""
    try:
        value = parsed(json.loads, line, "JSON", "")
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}
