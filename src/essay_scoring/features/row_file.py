"""Rows of numbers by key on disk: two flat files, written at the end, every row verified when read.

`keys.bin` holds 16 bytes a key, `rows.bin` in the same order a digest of 16 bytes and the numbers.
Rows are flushed to disk before their keys: what a killed process leaves half-written has no key and
is written over. Reading executes nothing, and asks for the keys and the rows wanted alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.files import wait_lock, write_json
from essay_scoring.core.fingerprint import canonical_json, fingerprint

_SIZE = 16
_log = logging.getLogger(__name__)

Key = bytes
"""16 bytes that tell one row from another."""


class RowFile:
    """Rows of `width` float32 below `root`/<hash of identity>, shared by processes.

    A damaged row counts as absent, and is written over in its place. `identity`, all but the keys
    that changes a value, enters every digest: rows of another identity are damaged ones here.
    """

    def __init__(self, root: Path, identity: Mapping[str, object], width: int) -> None:
        self.folder = root / fingerprint(identity)[:16]
        self._identity, self._width = identity, width
        self._seal = hashlib.sha256(canonical_json(identity).encode()).digest()
        self._keys, self._rows = self.folder / "keys.bin", self.folder / "rows.bin"
        self._place: dict[Key, int] = {}
        self._told: set[Key] = set()
        self._known = 0

    def read(self, keys: Sequence[Key], into: Matrix) -> npt.NDArray[np.bool_]:
        """Fill the rows of `into`, (len(keys), width), that are there; return which those are."""
        self._look()
        wanted = [
            (row, place) for row, key in enumerate(keys) if (place := self._place.get(key, -1)) >= 0
        ]
        there, damaged = np.zeros(len(keys), dtype=bool), set[Key]()
        # In the order in which they lie, for a disk's sake.
        for row, record in self._records(sorted(wanted, key=lambda pair: pair[1])):
            if self._intact(keys[row], record):
                into[row] = np.frombuffer(record, dtype="<f4", offset=_SIZE)
                there[row] = True
            else:
                damaged.add(keys[row])
        if damaged - self._told:
            what = "%s: %d row(s) are damaged and are made again"
            _log.warning(what, self._rows, len(damaged))
        self._told |= damaged
        return there

    def write(self, keys: Sequence[Key], values: Matrix) -> None:
        """Add rows, whole or not at all; those that another process has added are left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "identity.json").exists():
            write_json(self.folder / "identity.json", dict(self._identity))
        with wait_lock(self.folder / ".lock"):
            self._look()
            old = [(row, self._place[key]) for row, key in enumerate(keys) if key in self._place]
            sound = {row for row, record in self._records(old) if self._intact(keys[row], record)}
            damaged = {row: place for row, place in old if row not in sound}
            new = [row for row, key in enumerate(keys) if key not in self._place]
            places = damaged | {row: self._known + at for at, row in enumerate(new)}
            with _for_writing(self._rows) as stream:
                for row, place in places.items():
                    data = np.ascontiguousarray(values[row], dtype="<f4").tobytes()
                    record = self._digest(keys[row], data) + data
                    os.pwrite(stream, record, place * len(record))
            with _for_writing(self._keys) as stream:
                os.pwrite(stream, b"".join(keys[row] for row in new), self._known * _SIZE)

    def _look(self) -> None:
        """Take note of the keys that processes, this one too, have added."""
        try:
            with self._keys.open("rb") as stream:
                stream.seek(self._known * _SIZE)
                data = stream.read()
        except FileNotFoundError:
            return
        for start in range(0, len(data) - _SIZE + 1, _SIZE):
            self._place[data[start : start + _SIZE]] = self._known
            self._known += 1

    def _records(self, places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """Yield what lies at each (row, place), with the row."""
        size = _SIZE + 4 * self._width
        try:
            with self._rows.open("rb") as stream:
                for row, place in places:
                    yield row, os.pread(stream.fileno(), size, place * size)
        except FileNotFoundError:
            yield from ((row, b"") for row, _ in places)

    def _intact(self, key: Key, record: bytes) -> bool:
        whole = len(record) == _SIZE + 4 * self._width
        return whole and record[:_SIZE] == self._digest(key, record[_SIZE:])

    def _digest(self, key: Key, data: bytes) -> bytes:
        return hashlib.blake2b(key + data, digest_size=_SIZE, key=self._seal).digest()


@contextmanager
def _for_writing(path: Path) -> Iterator[int]:
    """Yield a descriptor to write anywhere in a file; what was written is then on disk."""
    stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield stream
        os.fsync(stream)
    finally:
        os.close(stream)
