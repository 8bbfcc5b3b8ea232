"""Commands that search: xgb-sweep and optuna-sweep."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    ConfigFile,
    DataFolder,
    Overrides,
    RunsFolder,
    Step,
    StepPart,
    config_workspace,
    resume_command,
    workspace,
)
from essay_scoring.cli.progress_display import progress_display

if TYPE_CHECKING:
    from essay_scoring.records.search_settings import Search
    from essay_scoring.records.workspace import Workspace
    from essay_scoring.search.search_workers import Team

NONE_FEASIBLE = 3
"""The exit code of a search in which no trial kept the guardrails: as of a failed gate."""


class ObjectiveName(StrEnum):
    """What is maximised."""

    WORST_THEN_MEAN = "worst_prompt_qwk_then_mean_qwk"
    BOTTOM_K_MEAN = "bottom_k_mean"
    SHRUNKEN_WORST = "shrunken_worst"
    MEAN_QWK = "mean_qwk"


Workers = Annotated[
    int,
    typer.Option(
        "--workers", min=1, help="Processes on this machine; they share its cores between them."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("xgb-sweep", cls=PlainCommand, rich_help_panel=Panel.RUN)(xgb_sweep)
    app.command("optuna-sweep", cls=PlainCommand, rich_help_panel=Panel.RUN)(optuna_sweep)


def xgb_sweep(
    config: ConfigFile,
    grid: Annotated[
        Path | None,
        typer.Option(
            callback=expects("grid"),
            help="A TOML file with a table [grid] of lists.",
            show_default="54 cells",
        ),
    ] = None,
    objective: Annotated[
        ObjectiveName, typer.Option(help="What cells are ranked by.")
    ] = ObjectiveName.WORST_THEN_MEAN,
    overrides: Overrides = None,
    workers: Workers = 1,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Cross-validate every cell of a grid around a config, and rank them.

    Without --grid: max_depth 3, 4, 5 x min_child_weight 5, 10, 20 x reg_lambda 2, 5, 10 x reg_alpha
    0, 1. Writes RUNS/searches/<name>-grid-<fingerprint>/: trials/ (each cell as soon as it is
    finished), artifacts/ (sweep.json, selected_params.json), reports/ (sweep_summary.md), views/
    (report.html). The same command resumes, and started twice it shares the work.
    """
    from essay_scoring.records.config import load_run_config
    from essay_scoring.reports.search_report import grid_summary, write_grid_reports
    from essay_scoring.search.grid import GridSweep, load_grid, run_grid
    from essay_scoring.search.search_workers import Team

    sweep = GridSweep(load_run_config(config, overrides or []), load_grid(grid), objective.value)
    space = workspace(runs_dir, cache_dir, data_dir)
    folder = run_grid(
        sweep,
        config_workspace(config, sweep.base.data.corpus, space, data_dir),
        progress_display(),
        team=Team(workers),
        report=write_grid_reports,
        resume=resume_command(),
    )
    _print(folder, grid_summary)


def optuna_sweep(
    search: Annotated[
        Path, typer.Argument(callback=expects("search"), help="A search under configs/search/.")
    ],
    overrides: Overrides = None,
    flat: Annotated[
        bool, typer.Option("--flat", help="Report the folds that select, and say so.")
    ] = False,
    allow_tail_regression: Annotated[
        bool,
        typer.Option("--allow-tail-regression", help="Let a trial trade a tail for the objective."),
    ] = False,
    trials_beyond_cap: Annotated[
        str | None, typer.Option(help="Why more than 50 trials are asked for.", metavar="REASON")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="URL of a database for the trials.", show_default="a journal file"),
    ] = None,
    workers: Workers = 1,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 once it is done.")] = False,
    step: Step = None,
    part: StepPart = None,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> int:
    """Search hyperparameters by cross-validation, and say what the best is worth.

    Each outer fold is reported by what a search on the other folds selects; --flat leaves that out.
    Writes RUNS/searches/<name>-<fingerprint>/: journal.log (Optuna's), trials/, artifacts/
    (optuna_trials.json, selected_params.json, search.json), reports/ (optuna_summary.md),
    views/ (report.html), progress.json; and the stability runs. The same command resumes, and
    started twice, here or on another machine that shares the folder, it shares the work. Exits 3
    when no trial kept the guardrails.
    """
    from essay_scoring.records.search import SearchFolder
    from essay_scoring.records.search_settings import load_search
    from essay_scoring.reports.search_report import search_summary
    from essay_scoring.search.search_steps import is_trials, search_steps
    from essay_scoring.search.search_workers import Team

    wanted = load_search(
        search,
        [*(overrides or []), *(['mode="flat"'] if flat else [])],
        allow_tail_regression=allow_tail_regression,
        beyond_cap=trials_beyond_cap,
    )
    space = workspace(runs_dir, cache_dir, data_dir)
    space = config_workspace(search, wanted.base.data.corpus, space, data_dir)
    if step is not None and not is_trials(step):
        search_steps(wanted, space, workers).compute_columns(part)
        return 0
    folder = _searched(wanted, space, Team(workers, storage))
    if not _print(folder, search_summary) or exit_zero or step is not None:
        return 0
    return 0 if SearchFolder(folder).read_search().selected else NONE_FEASIBLE


def _searched(search: Search, space: Workspace, team: Team) -> Path:
    """Run a search and return its folder, which another process may still lead."""
    from essay_scoring.reports.run_reports import write_run_reports
    from essay_scoring.reports.search_report import write_search_reports
    from essay_scoring.runs.reporters import Reporters
    from essay_scoring.search.runner import run_search

    return run_search(
        search,
        space,
        progress_display(),
        team=team,
        reporters=Reporters(write_run_reports, write_search_reports),
        resume=resume_command(),
    )


def _print(folder: Path, summary: Callable[[Path], str]) -> bool:
    """Print what was found, and where to read on; tell whether the folder is complete."""
    from essay_scoring.records.manifest import VIEWS, is_complete

    complete = is_complete(folder)
    if complete:
        typer.echo(f"{summary(folder)}\n")
        typer.echo(f"report: {folder / VIEWS / 'report.html'}")
    else:
        typer.echo("nothing is left to try here; the process that leads this search will end it")
    typer.echo(f"search: {folder}")
    return complete
