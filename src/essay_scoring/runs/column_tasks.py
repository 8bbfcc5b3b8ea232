"""Feature columns of several runs, cut into tasks that several machines do at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from essay_scoring.core.contracts import FeatureBlock
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.features.store import SHARD_ESSAYS, FeatureStore, distinct_rows
from essay_scoring.records.study_results import StudyStep
from essay_scoring.runs.run import Run

T = TypeVar("T")

COLUMNS = "columns"
"""The step of a launch that fills the store."""

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


def columns_step(tasks: Sequence[ColumnTask]) -> StudyStep:
    """Return the step that is these tasks, with what is left of it."""
    missing = tuple(number for number, task in enumerate(tasks) if not task.is_done)
    return StudyStep(
        name=COLUMNS,
        after=(),
        tasks=tuple(task.name for task in tasks),
        missing=missing,
        is_done=not missing,
    )


def task_of(tasks: Sequence[T], number: int | None) -> T:
    """Return a task of a step by its number; InputError for one that is not there."""
    if number is None or not 0 <= number < len(tasks):
        raise InputError(
            f"the step has no task {number}", where="--part", mend=f"name one of 0-{len(tasks) - 1}"
        )
    return tasks[number]


def _tasks_of(run: Run, block: FeatureBlock) -> list[ColumnTask]:
    count = len(distinct_rows(block, run.prepared.train.essays))
    shards = -(-count // SHARD_ESSAYS)
    size = -(-shards // MOST_TASKS) * SHARD_ESSAYS or 1
    starts = range(0, count, size)
    return [
        ColumnTask(f"{block.name}-{at}", run, block, range(start, min(start + size, count)))
        for at, start in enumerate(starts)
    ]
