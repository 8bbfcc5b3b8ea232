"""`xgb-sweep`: every cell of a grid, each kept as soon as it is finished, and their ranking."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from essay_scoring.core.files import try_lock, write_json
from essay_scoring.core.fingerprint import derive_seed, fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.core.settings import Settings, build_settings, read_toml
from essay_scoring.records import provenance
from essay_scoring.records.config import RunConfig, config_values
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run, provenance_of
from essay_scoring.runs.session import Session
from essay_scoring.search.evaluator import Bench, Outcome, read_outcome
from essay_scoring.search.search_settings import FLAT_LABEL, Objective
from essay_scoring.search.search_workers import Team, counted, helpers, take_part
from essay_scoring.search.selection import best_first
from essay_scoring.search.space import Params, config_fingerprint, grid_cells
from essay_scoring.search.storage import locks_of
from essay_scoring.search.winners_curse import Selection, winners_curse
from essay_scoring.search.work import ALL, PAUSE_SECONDS, TRIALS

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
class _Place:
    """A grid on its data, in its folder. Cells that come to the same configuration are one."""

    sweep: GridSweep
    cells: dict[str, tuple[int, Params, RunConfig]]
    bench: Bench
    folder: Path

    def finished(self) -> list[Outcome]:
        """Return the cells that are finished."""
        paths = (self.folder / TRIALS / ALL.name).glob("[!.]*.json")
        return [read_outcome(path) for path in sorted(paths)]


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
    place = _open(sweep, workspace, progress)
    helping = partial(helpers, team.workers, help_grid, sweep, workspace, place.folder)

    def lead(opened: Session) -> None:
        write_json(place.folder / "config.json", _identity(sweep, place.bench))
        write_json(
            place.folder / "provenance.json",
            provenance_of(place.bench.base).model_dump(mode="json"),
        )
        opened.stage("features")
        place.bench.run(sweep.base)
        opened.stage("cells")
        done = lambda: len(place.finished())  # noqa: E731
        with counted(progress, place.folder.name, len(place.cells), done) as told, helping():
            _work(place, told)
        opened.stage("artifacts")
        _write(place)
        opened.stage("reports")
        report(place.folder)
        shutil.rmtree(locks_of(place.folder), ignore_errors=True)

    def join() -> None:
        with helping():
            _work(place, lambda: None)

    return take_part(place.folder, resume, progress, lead=lead, join=join)


def help_grid(sweep: GridSweep, workspace: Workspace, folder: Path) -> None:
    """Do cells of a grid that another process leads in a folder, having the same code."""
    place = _open(sweep, workspace, Progress())
    if place.folder == folder:
        _work(place, lambda: None)


def _open(sweep: GridSweep, workspace: Workspace, progress: Progress) -> _Place:
    cells: dict[str, tuple[int, Params, RunConfig]] = {}
    for number, (params, config) in enumerate(grid_cells(sweep.base, sweep.axes)):
        cells.setdefault(config_fingerprint(config), (number, params, config))
    bench = Bench(open_run(sweep.base, workspace, progress), sweep.objective)
    name = f"{sweep.base.name[:50]}-grid-{fingerprint(_identity(sweep, bench))[:12]}"
    return _Place(sweep, cells, bench, workspace.runs / "searches" / name)


def _identity(sweep: GridSweep, bench: Bench) -> dict[str, Any]:
    """Return all that changes the result of a grid."""
    return {
        "grid": dict(sweep.axes),
        "objective": sweep.objective,
        "base": config_values(sweep.base),
        "data": bench.base.prepared.data_sha256,
        "splits": bench.base.splits.sha256,
        "code": provenance.code_revision(),
    }


def _work(place: _Place, told: Callable[[], None]) -> None:
    """Do every cell that nobody does: first those left over, then those of workers that died."""
    while left := [key for key in place.cells if not _path(place, key).is_file()]:
        done = 0
        for key in left:
            done += _do(place, key)
            told()
        if not done:
            time.sleep(PAUSE_SECONDS)


def _do(place: _Place, key: str) -> bool:
    """Do a cell unless another worker is at it; tell whether this one did."""
    with try_lock(locks_of(place.folder) / key[:16]) as mine:
        if mine:
            slot, params, config = place.cells[key]
            at = _path(place, key).with_suffix("")
            place.bench.try_out(ALL, config, at, slot=slot, params=params)
        return mine


def _path(place: _Place, key: str) -> Path:
    return place.folder / TRIALS / ALL.name / f"{key[:16]}.json"


def _write(place: _Place) -> None:
    """Write sweep.json, the cells in order of rank, and the best one as a config."""
    artifacts, sweep = place.folder / "artifacts", place.sweep
    outcomes = place.finished()
    ranking = best_first(outcomes)
    runs = [place.bench.predictions(ALL, one) for one in ranking]
    seed = derive_seed(sweep.base.seed, "curse")
    selection = Selection(sweep.objective, sweep.base.evaluation)
    curse = winners_curse(runs, 0, selection, seed=seed)
    ranked = [*ranking, *(one for one in outcomes if one not in ranking)]
    record = {
        "schema": 1,
        "name": place.folder.name,
        "label": FLAT_LABEL,
        "objective": sweep.objective,
        "scheme": sweep.base.scheme,
        "axes": dict(sweep.axes),
        "cells": [_row(rank, one) for rank, one in enumerate(ranked, start=1)],
        "winners_curse": None if curse is None else curse.to_json(),
        "code_revision": provenance.code_revision(),
        "git": provenance.git_state().model_dump(),
        "machine": provenance.machine().model_dump(),
    }
    if ranking:
        best = RunConfig.model_validate(ranking[0].config)
        named = best.model_copy(update={"name": f"{sweep.base.name[:50]}-grid-best"})
        write_json(artifacts / "selected_params.json", config_values(named))
    write_json(artifacts / "sweep.json", record)


def _row(rank: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "rank": rank,
        "cell": outcome.slot,
        "params": outcome.params,
        "state": outcome.state,
        "figures": outcome.figures,
        "seconds": outcome.seconds,
        "reason": outcome.reason,
    }
