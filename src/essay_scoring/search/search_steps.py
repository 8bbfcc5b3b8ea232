"""A search cut into steps that several jobs do: columns, workers on one storage, the ending.

Workers are equals: the first to come leads, the others share its trials, and should it die another
leads in its turn. The last step is the search's own command, which finds it complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.search_settings import Search
from essay_scoring.records.study_results import StudyStep
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.column_tasks import (
    COLUMNS,
    ColumnTask,
    column_tasks,
    columns_step,
    task_of,
)
from essay_scoring.runs.run import Run
from essay_scoring.search.work import SearchPlace, open_search

TRIALS, END = "trials", "end"


def is_trials(step: str) -> bool:
    """Tell whether a step is that of the trials, not of the columns; InputError for another."""
    if step not in (COLUMNS, TRIALS):
        raise InputError(
            f"the search has no step '{step}'", where="--step", mend=f"name {COLUMNS} or {TRIALS}"
        )
    return step == TRIALS


@dataclass(frozen=True, eq=False)
class SearchSteps:
    """The steps of a search with so many workers, in an order in which they can be done."""

    place: SearchPlace
    workers: int

    @property
    def folder(self) -> Path:
        """The folder of the search, named by everything its result depends on."""
        return self.place.folder.path

    @property
    def base(self) -> Run:
        """The run that the search varies."""
        return self.place.evaluator.base

    @property
    def is_complete(self) -> bool:
        """Whether the search is finished; EvidenceError where something was changed since."""
        return is_complete(self.folder) and require_intact(self.folder) == self.folder

    def config_hashes(self) -> dict[str, str]:
        """Return nothing: no run is done by itself."""
        return {}

    def all(self) -> list[StudyStep]:
        """Return every step, with what is left of it. Nothing is computed or written."""
        done = self.is_complete
        workers = tuple(f"worker-{number}" for number in range(self.workers))
        return [
            columns_step(self._columns),
            StudyStep(
                name=TRIALS,
                after=(COLUMNS,),
                tasks=workers,
                # What one had claimed is tried by another, in the end by the last step.
                may_fail=True,
                missing=() if done else tuple(range(self.workers)),
                is_done=done,
            ),
            StudyStep(name=END, after=(TRIALS,), is_done=done),
        ]

    def compute_columns(self, task: int | None) -> None:
        """Compute one task of the columns; InputError for one that there is not."""
        task_of(self._columns, task).do()

    @cached_property
    def _columns(self) -> list[ColumnTask]:
        return column_tasks([self.base])


def search_steps(search: Search, workspace: Workspace, workers: int) -> SearchSteps:
    """Return the steps of a search, with trials in its folder's journal."""
    return SearchSteps(open_search(search, workspace, Progress(), None), workers)
