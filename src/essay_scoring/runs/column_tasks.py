"""Feature columns of several runs, cut into tasks that several machines do at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from essay_scoring.core.contracts import FeatureBlock
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.features.store import SHARD_ESSAYS, FeatureStore, distinct_rows
from essay_scoring.runs.run import Run

MOST_TASKS = 16
"""Tasks of one block: a large corpus gives larger ones, not more than a scheduler takes."""


@dataclass(frozen=True)
class ColumnTask:
    """Some training essays of a run whose columns of one block are computed together."""

    name: str
    run: Run
    block: FeatureBlock
    rows: range

    @property
    def is_done(self) -> bool:
        """Whether the store holds all of its columns."""
        return not any(self._store.lacking(self.block, self._essays))

    def do(self) -> None:
        """Compute and store what is not there yet."""
        self._store.columns(self.block, self._essays, self.run.progress)

    @property
    def _store(self) -> FeatureStore:
        return FeatureStore(self.run.workspace.features)

    @property
    def _essays(self) -> Essays:
        essays = self.run.prepared.train.essays
        rows = distinct_rows(self.block, essays)
        return essays.take(rows[self.rows.start : self.rows.stop])


def column_tasks(runs: Sequence[Run]) -> list[ColumnTask]:
    """Return the tasks that fill the store for runs on the same data, no text in two of a block.

    A block that several runs read is there once. Which tasks there are does not depend on what the
    store holds.
    """
    blocks: dict[str, tuple[Run, FeatureBlock]] = {}
    for run in runs:
        for block in run.stored_blocks:
            key = fingerprint([block.name, block.identity, list(block.column_names)])
            blocks.setdefault(key, (run, block))
    return [task for run, block in blocks.values() for task in _tasks_of(run, block)]


def _tasks_of(run: Run, block: FeatureBlock) -> list[ColumnTask]:
    count = len(distinct_rows(block, run.prepared.train.essays))
    shards = -(-count // SHARD_ESSAYS)
    size = -(-shards // MOST_TASKS) * SHARD_ESSAYS or 1
    starts = range(0, count, size)
    return [
        ColumnTask(f"{block.name}-{at}", run, block, range(start, min(start + size, count)))
        for at, start in enumerate(starts)
    ]
