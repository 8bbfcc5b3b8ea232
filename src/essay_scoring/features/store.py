"""Feature columns on disk: written shard by shard, shared by processes, checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Columns, FeatureBlock, Matrix
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import try_lock, write_bytes, write_json
from essay_scoring.core.fingerprint import canonical_json, fingerprint, rows_sha256
from essay_scoring.core.progress import Progress

SHARD_ESSAYS = 64
"""Essays of one shard: what a crash may cost, and what a block is given at a time."""

_POLL_SECONDS = 0.2
_FORMAT = "essay-scoring-features-2"
_METADATA = "essay_scoring"
_log = logging.getLogger(__name__)


class _UnusableShardError(Exception):
    """A shard that is damaged or was made for something else; the text says which."""


@dataclass(frozen=True, eq=False)
class _Shard:
    """The essays `start` to `stop` of a corpus, and the file of their columns."""

    path: Path
    start: int
    stop: int
    names: tuple[str, ...]
    key: dict[str, object]

    @property
    def lock(self) -> Path:
        return self.path.with_name(f".{self.path.stem}.lock")

    def read(self) -> Matrix:
        """Return the values; raise FileNotFoundError if absent, _UnusableShardError if unusable."""
        metadata, values = _load(self.path)
        if metadata.get("key") != self.key:
            raise _UnusableShardError("it was made for other essays or another block")
        if values.dtype != np.float32 or values.shape != (self.stop - self.start, len(self.names)):
            raise _UnusableShardError("its shape is wrong")
        if metadata.get("sha256") != _checksum(values):
            raise _UnusableShardError("its checksum is wrong")
        return values

    def write(self, values: Matrix) -> None:
        """Write the file, whole or not at all."""
        from safetensors.numpy import save

        # One entry, since safetensors would write several in no fixed order.
        metadata = canonical_json({"key": self.key, "sha256": _checksum(values)})
        write_bytes(self.path, save({"values": values}, {_METADATA: metadata}))

    def clear_strays(self) -> None:
        """Delete what a killed process left of this shard; only the lock's holder may."""
        for stray in self.path.parent.glob(f".{self.path.name}.*"):
            stray.unlink(missing_ok=True)


class FeatureStore:
    """Columns below one folder, computed once per block identity and corpus.

    A corpus is its texts and prompts in order. `<block>-<identity>/block.json` says what made the
    columns; `<corpus>/NNNNN.safetensors` beside it hold them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def columns(self, block: FeatureBlock, essays: Essays, progress: Progress) -> Columns:
        """Return the block's columns of all essays, computing and storing what is not there yet.

        Each shard is written when it is done, so a crash costs at most the one in work. Shards in
        another process's hands are left to it, and taken over should it end without them.
        """
        names = tuple(block.column_names)
        values = np.empty((len(essays), len(names)), dtype=np.float32)
        shards = waiting = self._shards(block, names, essays)
        with progress.stage(f"features: {block.name}", len(essays)) as advance:
            while waiting:
                left = []
                for shard in waiting:
                    rows = _settled(shard, block, essays)
                    if rows is None:
                        left.append(shard)
                        continue
                    values[shard.start : shard.stop] = rows
                    advance(shard.stop - shard.start)
                if len(left) == len(waiting):
                    time.sleep(_POLL_SECONDS)
                waiting = left
        for shard in shards:
            # Every file is there now: whoever still holds or awaits a lock will only read.
            shard.lock.unlink(missing_ok=True)
        return Columns(names, values)

    def _shards(self, block: FeatureBlock, names: tuple[str, ...], essays: Essays) -> list[_Shard]:
        """Return the shards of a corpus, with the block's description beside them."""
        identity = fingerprint(block.identity)
        corpus = corpus_fingerprint(essays)
        folder = self.root / f"{block.name}-{identity[:12]}"
        if len(essays):
            _describe(folder / "block.json", block, names)
        key = {
            "format": _FORMAT,
            "block": block.name,
            "identity": identity,
            "columns": fingerprint(names),
            "corpus": corpus,
        }
        return [
            _Shard(
                folder / corpus[:12] / f"{number:05d}.safetensors",
                start,
                min(start + SHARD_ESSAYS, len(essays)),
                names,
                {**key, "shard": number},
            )
            for number, start in enumerate(range(0, len(essays), SHARD_ESSAYS))
        ]


def corpus_fingerprint(essays: Essays) -> str:
    """Return the hash of texts and prompts in order: all of a corpus that a block may see."""
    rows = zip(essays.texts, essays.prompts, strict=True)
    return rows_sha256((text_sha256(text), prompt) for text, prompt in rows)


def text_sha256(text: str) -> str:
    """Return the sha256 (hex) of a text exactly as it is, unlike `core.text.text_hash`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _settled(shard: _Shard, block: FeatureBlock, essays: Essays) -> Matrix | None:
    """Return the shard's values, computed if need be; None while another process does that."""
    with contextlib.suppress(FileNotFoundError, _UnusableShardError):
        return shard.read()
    with try_lock(shard.lock) as mine:
        if not mine:
            return None
        try:
            # Another process may have finished it between our look and our lock.
            return shard.read()
        except FileNotFoundError:
            pass
        except _UnusableShardError as reason:
            _log.warning("feature shard %s is rebuilt: %s", shard.path, reason)
        return _computed(shard, block, essays)


def _computed(shard: _Shard, block: FeatureBlock, essays: Essays) -> Matrix:
    """Return the shard's values after computing and storing them; the caller holds its lock."""
    shard.clear_strays()
    part = block.columns(essays.take(range(shard.start, shard.stop)))
    values = np.ascontiguousarray(part.values, dtype=np.float32)
    if part.names != shard.names or len(values) != shard.stop - shard.start:
        raise ValueError(f"block {block.name} gave columns other than it announced")
    shard.write(values)
    return values


def _load(path: Path) -> tuple[dict[str, Any], Matrix]:
    """Return metadata and values; raise FileNotFoundError, or _UnusableShardError for no shard."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stream:
            metadata = json.loads((stream.metadata() or {}).get(_METADATA, "{}"))
            return metadata, stream.get_tensor("values")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        raise _UnusableShardError(f"it is damaged or no shard ({type(error).__name__})") from None


def _describe(path: Path, block: FeatureBlock, names: tuple[str, ...]) -> None:
    """Write what made the columns, for people; nothing reads it back."""
    if not path.exists():
        described = {"name": block.name, "identity": block.identity, "columns": list(names)}
        write_json(path, described)


def _checksum(values: Matrix) -> str:
    """Return the sha256 of the values' bytes, little-endian, row by row."""
    return hashlib.sha256(np.ascontiguousarray(values, dtype="<f4").tobytes()).hexdigest()
