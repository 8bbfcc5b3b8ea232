"""The command `power`: what a gate plan can tell, before any candidate runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import CACHE, CacheFolder
from essay_scoring.cli.progress_display import progress_display


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("power", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(power)


def power(
    plan: Annotated[
        Path, typer.Argument(callback=expects("plan"), help="A gate plan under configs/gates/.")
    ],
    reference: Annotated[
        Path, typer.Option(callback=expects("run"), help="The reference's run folder.")
    ],
    simulations: Annotated[
        int | None,
        typer.Option(
            help="How many equal pairs to simulate; a sixth as many of other candidates.",
            show_default="800, or 400 for a plan that decides by intervals",
        ),
    ] = None,
    correlation: Annotated[
        float | None,
        typer.Option(
            help="How the errors of reference and candidate correlate, from 0 to 0.99.",
            show_default="as the reference's with its most similar baseline",
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            callback=expects("run"), help="Estimate the correlation from this run instead."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is simulated.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the record, its figure and a page.")
    ] = None,
    cache_dir: CacheFolder = CACHE,
) -> None:
    """Simulate candidates to see how often a gate plan passes equal scorers, and what it detects.

    Prompts, essays and errors are drawn anew from what the reference's out-of-fold predictions
    show. Keeps the result under CACHE/power/. With --out writes power.json, power.md, power.html
    and power.svg there.
    """
    from essay_scoring.judging.plans import load_plan
    from essay_scoring.judging.power import PowerSettings, known_power
    from essay_scoring.records.finished_run import read_run
    from essay_scoring.reports.power_report import power_text, write_power_reports

    record = known_power(
        load_plan(plan),
        read_run(reference),
        cache_dir,
        progress_display(),
        settings=PowerSettings(simulations, correlation, seed),
        like=None if like is None else read_run(like),
    )
    typer.echo(power_text(record))
    if out is not None:
        typer.echo("")
        for path in write_power_reports(record, out):
            typer.echo(str(path))
