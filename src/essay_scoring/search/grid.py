"""`xgb-sweep`: every cell of a grid, each kept as soon as it is finished, and their ranking."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from essay_scoring.core.files import try_lock
from essay_scoring.core.fingerprint import derive_seed, fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.core.settings import Settings, build_settings, read_toml
from essay_scoring.records import provenance
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.search import GridCell, GridRecord, Outcome, SearchFolder
from essay_scoring.records.search_settings import FLAT_LABEL, Objective
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import Run, open_run
from essay_scoring.runs.session import Session
from essay_scoring.search.evaluator import ALL, Evaluator
from essay_scoring.search.search_workers import (
    PAUSE_SECONDS,
    Team,
    Workplace,
    help_in,
    helpers,
    run_together,
)
from essay_scoring.search.selection import best_first
from essay_scoring.search.space import Params, config_fingerprint, grid_cells
from essay_scoring.search.winners_curse import Selection, winners_curse

CONTRACT_GRID: dict[str, list[Any]] = {
    "scorer.max_depth": [3, 4, 5],
    "scorer.min_child_weight": [5, 10, 20],
    "scorer.reg_lambda": [2, 5, 10],
    "scorer.reg_alpha": [0, 1],
}
"""54 cells around the reference, which is one of them."""


class GridSettings(Settings):
    """A grid file: under [grid], the values of each path of a run config."""

    grid: dict[str, list[Any]] = Field(min_length=1)


@dataclass(frozen=True)
class GridSweep:
    """A grid around a base config, and the rule that ranks its cells."""

    base: RunConfig
    axes: Mapping[str, list[Any]]
    objective: Objective = "worst_prompt_qwk_then_mean_qwk"


@dataclass(frozen=True, eq=False)
class GridPlace(Workplace):
    """A grid on its data, in its folder. Cells that come to the same configuration are one."""

    sweep: GridSweep
    cells: dict[str, tuple[int, Params, RunConfig]]

    unit = "cells"

    @property
    def identity(self) -> dict[str, Any]:
        """All that changes the result of a grid."""
        return _identity(self.sweep, self.evaluator.base)

    @property
    def total(self) -> int:
        """The cells."""
        return len(self.cells)

    def work(self, told: Callable[[], None]) -> None:
        """Do every cell that nobody does: first those left over, then those of dead workers."""
        while left := [key for key in self.cells if not self._path(key).is_file()]:
            done = 0
            for key in left:
                done += self._do(key)
                told()
            if not done:
                time.sleep(PAUSE_SECONDS)

    def _do(self, key: str) -> bool:
        """Do a cell unless another worker is at it; tell whether this one did."""
        with try_lock(self.folder.locks / key[:16]) as mine:
            if mine:
                slot, params, config = self.cells[key]
                self.evaluator.try_out(ALL, config, self._path(key), slot=slot, params=params)
            return mine

    def _path(self, key: str) -> Path:
        return self.folder.outcome(ALL.name, key[:16])

    def write(self) -> None:
        """Write sweep.json, the cells in order of rank, and the best one as a config."""
        folder, sweep = self.folder, self.sweep
        outcomes = folder.outcomes(ALL.name)
        ranking = best_first(outcomes)
        runs = [self.evaluator.predictions(ALL, outcome) for outcome in ranking]
        seed = derive_seed(sweep.base.seed, "curse")
        selection = Selection(sweep.objective, sweep.base.evaluation)
        ranked = [*ranking, *(outcome for outcome in outcomes if outcome.state != "complete")]
        record = GridRecord(
            name=folder.path.name,
            label=FLAT_LABEL,
            objective=sweep.objective,
            scheme=sweep.base.scheme,
            axes=dict(sweep.axes),
            cells=[_cell(rank, outcome) for rank, outcome in enumerate(ranked, start=1)],
            winners_curse=winners_curse(runs, 0, selection, seed=seed),
            code_revision=provenance.code_revision(),
            git=provenance.git_state(),
            machine=provenance.machine(),
        )
        if ranking:
            folder.write_selected(ranking[0].config, f"{sweep.base.name[:50]}-grid-best")
        write_record(folder.sweep, record)


def load_grid(path: Path | None) -> dict[str, list[Any]]:
    """Return the axes of a grid file, or the contract's grid."""
    if path is None:
        return CONTRACT_GRID
    return build_settings(GridSettings, read_toml(path), str(path)).grid


def run_grid(
    sweep: GridSweep,
    workspace: Workspace,
    progress: Progress,
    *,
    team: Team,
    report: Callable[[Path], object],
    resume: str,
) -> Path:
    """Return the folder of a grid, doing only the cells that are not done yet."""
    place = open_grid(sweep, workspace, progress)
    known = (place.folder.path, open_grid, sweep, workspace, Progress())

    def end(session: Session) -> None:
        session.stage("artifacts")
        place.write()
        session.wrote(place.folder.sweep)
        session.stage("reports")
        report(place.folder.path)

    helping = partial(helpers, team.workers, help_in, *known)
    return run_together(place, end, helping, progress, resume)


def open_grid(sweep: GridSweep, workspace: Workspace, progress: Progress) -> GridPlace:
    """Return the workplace of a grid; whoever opens the same grid finds the same folder."""
    cells: dict[str, tuple[int, Params, RunConfig]] = {}
    for number, (params, config) in enumerate(grid_cells(sweep.base, sweep.axes)):
        cells.setdefault(config_fingerprint(config), (number, params, config))
    run = open_run(sweep.base, workspace, progress)
    name = f"{sweep.base.name[:50]}-grid-{fingerprint(_identity(sweep, run))[:12]}"
    folder = SearchFolder(workspace.runs / "searches" / name)
    return GridPlace(Evaluator(run, sweep.objective), folder, sweep, cells)


def _identity(sweep: GridSweep, run: Run) -> dict[str, Any]:
    """Return all that changes the result of a grid."""
    return {
        "grid": dict(sweep.axes),
        "objective": sweep.objective,
        "base": config_values(sweep.base),
        "data": run.prepared.data_sha256,
        "splits": run.splits.sha256,
        "code": provenance.code_revision(),
        "judge": provenance.judge_revision(),
    }


def _cell(rank: int, outcome: Outcome) -> GridCell:
    return GridCell(
        rank=rank,
        cell=outcome.slot,
        params=outcome.params,
        state=outcome.state,
        figures=outcome.figures,
        seconds=outcome.seconds,
        reason=outcome.reason,
    )
