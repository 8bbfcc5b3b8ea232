"""Feature columns on disk: computed and written a few essays at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, FeatureBlock, Matrix
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import rows_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.core.text import text_sha256
from essay_scoring.features.tensor_store import TensorStore

SHARD_ESSAYS = 64
"""Essays of one shard: what a crash may cost, and what a block is given at a time."""

_VALUES = "values"


class FeatureStore:
    """Columns below one folder, computed once per block identity and corpus.

    A corpus is its texts and prompts in order, for company moves a row by rounding: what is stored
    is what the same corpus would give again. `<block>/<identity>/identity.json` says what made the
    columns.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def columns(self, block: FeatureBlock, essays: Essays, progress: Progress) -> Columns:
        """Return the block's columns of all essays, computing and storing what is not there yet.

        Several processes share the work. A crash costs at most the shard in work.
        """
        names, corpus = tuple(block.column_names), corpus_fingerprint(essays)[:16]
        identity = {"format": 3, "block": block.name, "of": block.identity, "columns": list(names)}
        shards = {
            f"{corpus}/{start // SHARD_ESSAYS:05d}": essays.take(
                range(start, min(start + SHARD_ESSAYS, len(essays)))
            )
            for start in range(0, len(essays), SHARD_ESSAYS)
        }

        def computed(shard: str, _: list[str]) -> dict[str, Matrix]:
            return {_VALUES: _values(block, names, shards[shard])}

        store = TensorStore(self.root / block.name, identity)
        with progress.stage(f"features: {block.name}", len(essays)) as advance:
            groups = dict.fromkeys(shards, (_VALUES,))
            store.fill(groups, computed, lambda shard: advance(len(shards[shard])))
        parts = [store.read(shard, [_VALUES])[_VALUES] for shard in shards]
        empty = np.empty((0, len(names)), dtype=np.float32)
        return Columns(names, np.concatenate([empty, *parts]))


def corpus_fingerprint(essays: Essays) -> str:
    """Return the hash of texts and prompts in order: all of a corpus that a block may see."""
    rows = zip(essays.texts, essays.prompts, strict=True)
    return rows_sha256((text_sha256(text), prompt) for text, prompt in rows)


def _values(block: FeatureBlock, names: tuple[str, ...], essays: Essays) -> Matrix:
    """Return the block's columns of a shard; raise ValueError if they are not as announced."""
    part = block.columns(essays)
    if part.names != names or len(part.values) != len(essays):
        raise ValueError(f"block {block.name} gave columns other than it announced")
    return np.ascontiguousarray(part.values, dtype=np.float32)
