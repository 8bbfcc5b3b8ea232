"""The command `audit`: what is wrong with a finished run."""

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
    app.command("audit")(audit)


def audit(
    run: Annotated[Path, typer.Argument(help="A finished run folder that cv made.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="A folder for the record and its page.",
            show_default="RUNS/audits/<run folder name>",
        ),
    ] = None,
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
    from essay_scoring.reports.audit_report import audit_text, write_audit_reports

    space = workspace(runs_dir, cache_dir, data_dir)
    found = audit_run(run, space, progress_display(), attack_essays=attack_essays)
    folder = space.runs / "audits" / found.record["run"]["folder"] if out is None else out
    paths = write_audit_reports(found.record, folder)
    typer.echo(audit_text(found.record, found.seconds) + "\n")
    for path in paths:
        typer.echo(str(path))
