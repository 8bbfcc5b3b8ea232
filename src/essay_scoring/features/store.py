"""Feature columns on disk, by text: whatever corpus an essay is met in, it is computed once."""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, FeatureBlock, Matrix, ReadsPromptTexts
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import try_lock
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.text import text_sha256
from essay_scoring.features.row_file import Key, RowFile

SHARD_ESSAYS = 64
"""Essays that a block is given at a time, and that a crash may cost."""

_LOCKS = 64
_POLL_SECONDS = 0.2
_NOT_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class FeatureStore:
    """Columns below one folder, computed once per block identity and text.

    A row belongs to its text, and to its prompt and what that asked where the block reads them:
    more essays, others in between or another split compute the new ones alone. The folder
    `<block>/<identity>/` holds hashes and numbers, no text; its `identity.json` says what made the
    columns. Columns of a folder that may not be written are read, and those it lacks are computed
    and not kept.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, RowFile] = {}

    def columns(self, block: FeatureBlock, essays: Essays, progress: Progress) -> Columns:
        """Return the block's columns of all essays, computing and storing what is not there yet.

        Several processes share the work. A crash costs at most the essays in work.
        """
        names = tuple(block.column_names)
        rows = self._rows_of(block)
        keys = _keys(block, essays)
        values = np.empty((len(essays), len(names)), dtype=np.float32)
        there = rows.read(keys, values)
        with progress.stage(f"features: {block.name}", len(essays)) as advance:
            if there.any():
                advance(int(there.sum()))
            times = Counter(key for key, known in zip(keys, there, strict=True) if not known)
            first = {key: row for row, key in reversed([*enumerate(keys)])}
            fresh: dict[Key, Matrix] = {}
            waiting = _shards(list(times))
            while waiting:
                left = []
                for shard in waiting:
                    part = essays.take([first[key] for key in shard])
                    if (made := _made(rows, block, shard, part)) is None:
                        left.append(shard)
                        continue
                    fresh.update(zip(shard, made, strict=True))
                    advance(sum(times[key] for key in shard))
                if len(left) == len(waiting):
                    time.sleep(_POLL_SECONDS)
                waiting = left
        for row in np.flatnonzero(~there):
            values[row] = fresh[keys[row]]
        return Columns(names, values)

    def lacking(self, block: FeatureBlock, essays: Essays) -> list[bool]:
        """Return which essays have no stored columns of the block; nothing is computed."""
        rows = self._rows_of(block)
        keys = _keys(block, essays)
        into = np.empty((len(keys), len(block.column_names)), dtype=np.float32)
        return [not there for there in rows.read(keys, into).tolist()]

    def _rows_of(self, block: FeatureBlock) -> RowFile:
        names = list(block.column_names)
        identity = {"format": 4, "block": block.name, "of": block.identity, "columns": names}
        key = fingerprint(identity)
        if key not in self._files:
            self._files[key] = RowFile(self.root / block.name, identity, len(names))
        return self._files[key]


def distinct_rows(block: FeatureBlock, essays: Essays) -> list[int]:
    """Return the first of all rows that a block cannot tell apart, by text or by prompt too."""
    first: dict[Key, int] = {}
    for row, key in enumerate(_keys(block, essays)):
        first.setdefault(key, row)
    return list(first.values())


def _keys(block: FeatureBlock, essays: Essays) -> list[Key]:
    """Return the keys of the essays' rows."""
    return [_key(block, *pair) for pair in zip(essays.texts, essays.prompts, strict=True)]


def _key(block: FeatureBlock, text: str, prompt: str) -> Key:
    """Return what tells an essay from others that the block may give other columns."""
    seen = [text_sha256(text), prompt] if block.reads_prompt else [text_sha256(text)]
    if isinstance(block, ReadsPromptTexts) and (asked := block.asked(prompt)):
        seen.append(asked)
    return bytes.fromhex(fingerprint(seen)[:32])


def _shards(keys: Sequence[Key]) -> list[list[Key]]:
    return [list(keys[at : at + SHARD_ESSAYS]) for at in range(0, len(keys), SHARD_ESSAYS)]


def _made(
    rows: RowFile, block: FeatureBlock, shard: Sequence[Key], essays: Essays
) -> Matrix | None:
    """Return the columns of a shard, computed unless another process has done it meanwhile.

    None, at once, while another process has the same essays in work.
    """
    try:
        # Processes that started with one corpus have the same shards.
        with try_lock(rows.folder / f".lock-{shard[0][0] % _LOCKS:02d}") as mine:
            if not mine:
                return None
            values = np.empty((len(shard), len(block.column_names)), dtype=np.float32)
            lacking = np.flatnonzero(~rows.read(shard, values)).tolist()
            if lacking:
                values[lacking] = _values(block, essays.take(lacking))
                rows.write([shard[row] for row in lacking], values[lacking])
            return values
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        return _values(block, essays)


def _values(block: FeatureBlock, essays: Essays) -> Matrix:
    """Return the block's columns of a shard; raise ValueError if they are not as announced."""
    part = block.columns(essays)
    if part.names != tuple(block.column_names) or len(part.values) != len(essays):
        raise ValueError(f"block {block.name} gave columns other than it announced")
    return np.ascontiguousarray(part.values, dtype=np.float32)
