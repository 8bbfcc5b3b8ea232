"""The command `card`: what a model is, for those who use it and those who must answer for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import RUNS, RunsFolder


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("card", cls=PlainCommand, rich_help_panel=Panel.USE)(card)


def card(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL_OR_RUN",
            callback=expects("model", "run"),
            help="A model folder of train, or a finished run folder.",
        ),
    ],
    audit: Annotated[
        Path | None,
        typer.Option(
            help="The audit.json of the run.", show_default="RUNS/audits/<run>/audit.json if there"
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            help="The explain.json of the run.",
            show_default="RUNS/audits/<run>/explain.json if there",
        ),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(
            callback=expects("study-folder", "record"),
            help="The study, or its study.json, that ran the run.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="A folder for both files.", show_default="RUNS/cards/<name>"
        ),
    ] = None,
    runs_dir: RunsFolder = RUNS,
) -> None:
    """Write MODEL_CARD.md and TECHNICAL_FILE.md of a model or a run, from artifacts alone.

    Each also as a page, MODEL_CARD.html and TECHNICAL_FILE.html.

    The technical file follows Annex IV of Regulation (EU) 2024/1689: purpose, versions and hashes,
    data, training, figures with intervals by prompt and group, misuse, oversight, logs, monitoring.
    What no artifact says stands as "To be completed by the provider". Exits 4 for a folder that is
    not complete or was changed since.
    """
    from essay_scoring.cli.display import list_again
    from essay_scoring.records.manifest import require_outside
    from essay_scoring.reports.card_evidence import CardSources, read_evidence
    from essay_scoring.reports.model_card import write_cards

    evidence = read_evidence(source, CardSources(runs_dir, audit, explain, study))
    folder = runs_dir / "cards" / evidence.name if out is None else out
    require_outside(source, folder)
    for path in write_cards(evidence, folder):
        typer.echo(str(path))
    list_again(runs_dir)
