"""The commands `audit` and `explain`: what is wrong with a finished run, and why it predicts so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    DataFolder,
    RunsFolder,
    run_workspace,
    workspace,
)
from essay_scoring.cli.progress_display import progress_display

OutFolder = Annotated[
    Path | None,
    typer.Option(
        help="A folder for the record and its page.",
        show_default="RUNS/audits/<run folder name>",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("audit", cls=PlainCommand, rich_help_panel=Panel.INSPECT)(audit)
    app.command("explain", cls=PlainCommand, rich_help_panel=Panel.INSPECT)(explain)


def audit(
    run: Annotated[Path, typer.Argument(callback=expects("run"), help="A finished run folder.")],
    out: OutFolder = None,
    attack_essays: Annotated[
        int, typer.Option(min=1, help="How many essays are spoilt and scored again.")
    ] = 60,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Audit a run: limits, subgroups, length, calibration, raters, leaks, and attacks on it.

    Writes audit.json and audit.html: a section a question, each with its verdict, intervals and n.
    Essays are spoilt in memory and scored by the model that held their prompt out; no text is
    written. Exits 0 whatever the verdicts are.
    """
    from essay_scoring.audits.audit import audit_run
    from essay_scoring.cli.display import list_again
    from essay_scoring.records.finished_run import read_run
    from essay_scoring.reports.audit_report import audit_text, write_audit_reports

    space = run_workspace(run, workspace(runs_dir, cache_dir, data_dir), data_dir)
    found = audit_run(run, space, progress_display(), attack_essays=attack_essays)
    folder = space.runs / "audits" / found.record.run.folder if out is None else out
    paths = write_audit_reports(found.record, folder, read_run(run))
    _say(audit_text(found.record, found.seconds), paths)
    list_again(space.runs)


def explain(
    run: Annotated[
        Path,
        typer.Argument(callback=expects("run"), help="A finished run folder of trees or ridge."),
    ],
    out: OutFolder = None,
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
    from essay_scoring.cli.display import list_again
    from essay_scoring.reports.explain_report import explain_text, write_explain_reports

    space = run_workspace(run, workspace(runs_dir, cache_dir, data_dir), data_dir)
    refit_seeds = seeds if drop_columns else 0
    record = explain_run(run, space, progress_display(), refit_seeds=refit_seeds)
    folder = space.runs / "audits" / record.run.folder if out is None else out
    paths = write_explain_reports(record, folder)
    _say(explain_text(record), paths)
    list_again(space.runs)


def _say(text: str, paths: Sequence[Path]) -> None:
    typer.echo(text + "\n")
    for path in paths:
        typer.echo(str(path))
