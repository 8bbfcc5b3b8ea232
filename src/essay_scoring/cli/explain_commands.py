"""The command `explain`: why a finished run predicts as it does, and where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    DataFolder,
    RunsFolder,
    workspace,
)
from essay_scoring.cli.progress_display import progress_display


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("explain")(explain)


def explain(
    run: Annotated[Path, typer.Argument(help="A finished run folder of trees or ridge.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="A folder for the record, its figure and a page.",
            show_default="RUNS/audits/<run folder name>",
        ),
    ] = None,
    drop_columns: Annotated[
        bool, typer.Option(help="Also fit the run again without each construct.")
    ] = True,
    seeds: Annotated[
        int, typer.Option(min=1, max=20, help="Under how many seeds each of those fits is done.")
    ] = 3,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Show which traits of writing move a run's predictions, and the prompts it fails on.

    Writes explain.json, explain.html and explain.svg: Shapley values of the out-of-fold models by
    construct, what each construct is worth when the run is fitted again without it, and a card for
    each of the worst prompts. They name essays by id and hold no text.
    """
    from essay_scoring.audits.explanation import explain_run
    from essay_scoring.reports.explain_report import explain_text, write_explain_reports

    space = workspace(runs_dir, cache_dir, data_dir)
    refit_seeds = seeds if drop_columns else 0
    record = explain_run(run, space, progress_display(), refit_seeds=refit_seeds)
    folder = space.runs / "audits" / record["run"]["folder"] if out is None else out
    paths = write_explain_reports(record, folder)
    typer.echo(explain_text(record) + "\n")
    for path in paths:
        typer.echo(str(path))
