"""The command `runs`: what there is, and runs tag, runs note, runs rm."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.help_pages import GroupedCommands, PlainCommand
from essay_scoring.cli.options import (
    MODELS,
    RUNS,
    LedgerFolder,
    ModelsFolder,
    RunsFolder,
)
from essay_scoring.core.errors import InputError

if TYPE_CHECKING:
    from essay_scoring.runs.removal import Removal

app = typer.Typer(
    cls=GroupedCommands, help="All runs, studies, searches and models: list, tag, note, rm."
)

FolderNamed = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of a folder, as `runs` lists it.")
]


class KindName(StrEnum):
    """What a folder is."""

    STUDY = "study"
    TRAITS = "traits"
    RUN = "run"
    FINAL_TEST = "final-test"
    SEARCH = "search"
    MODEL = "model"


class StateName(StrEnum):
    """How the work in a folder stands."""

    COMPLETE = "complete"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    KILLED = "killed"
    UNREADABLE = "unreadable"


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    kind: Annotated[
        list[KindName] | None, typer.Option(help="Only these. Repeatable.", show_default=False)
    ] = None,
    state: Annotated[
        list[StateName] | None, typer.Option(help="Only these. Repeatable.", show_default=False)
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only those with this tag; with all of several. Repeatable."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Only names that hold this, or are like it with * and ?.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is known as one JSON object.")
    ] = False,
    runs_dir: RunsFolder = RUNS,
    models_dir: ModelsFolder = MODELS,
) -> None:
    """List all runs, studies, searches and models, the latest first. Writes nothing.

    Shows state, date, figures with their intervals, size on disk, tags and note, as the folders say
    of themselves; one that cannot be read is listed with the reason.
    """
    if context.invoked_subcommand is not None:
        _require_no_options(context)
        return
    from essay_scoring.cli.display import print_listing
    from essay_scoring.records.listed import Listing
    from essay_scoring.runs.folder_listing import Wanted, listing

    wanted = Wanted(
        kinds=tuple(one.value for one in kind or ()),
        states=tuple(one.value for one in state or ()),
        tags=tuple(tag or ()),
        name=name,
    )
    entries = listing(runs_dir, models_dir, wanted)
    if as_json:
        typer.echo(Listing(entries=tuple(entries)).model_dump_json(indent=2))
    else:
        print_listing(entries, runs_dir, models_dir)


@app.command(cls=PlainCommand)
def tag(
    name: FolderNamed,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Words to find it by.")],
    drop: Annotated[bool, typer.Option("--drop", help="Take these tags off.")] = False,
    runs_dir: RunsFolder = RUNS,
    models_dir: ModelsFolder = MODELS,
) -> None:
    """Tag a run, study, search or model. Writes notes.json beside the folder, never inside it."""
    added, dropped = ([], tags) if drop else (tags, [])
    _edit(name, runs_dir, models_dir, add=added, drop=dropped)


@app.command(cls=PlainCommand)
def note(
    name: FolderNamed,
    text: Annotated[str, typer.Argument(metavar="TEXT", help='One line; "" takes it away.')],
    runs_dir: RunsFolder = RUNS,
    models_dir: ModelsFolder = MODELS,
) -> None:
    """Write a line about a run, study, search or model into notes.json beside the folder."""
    _edit(name, runs_dir, models_dir, text=text)


@app.command(cls=PlainCommand)
def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names of folders, as `runs` lists them.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what something that stays refers to.")
    ] = False,
    runs_dir: RunsFolder = RUNS,
    models_dir: ModelsFolder = MODELS,
    ledger_dir: LedgerFolder = None,
) -> int:
    """Remove runs, studies, searches or models for good, with their audits, cards, tags and notes.

    Refuses what a study, a model, an opening of a locked test or the register of plans refers to
    unless that goes too, or --force is given; exits 5 for what a process works in. A folder goes as
    a whole or not at all.
    """
    from essay_scoring.data.corpora import data_folder
    from essay_scoring.records.workspace import Workspace
    from essay_scoring.reports.runs_index import listed_again
    from essay_scoring.runs.removal import Removal, found

    space = Workspace(runs_dir, Path(), data_folder(), ledger_dir)
    targets = tuple(dict.fromkeys(found(name, runs_dir, models_dir) for name in names))
    removal = Removal(space, models_dir, targets)
    removal.require_free()
    if not force:
        _require_unreferenced(removal)
    if not (yes or _agreed(removal)):
        typer.echo("nothing is removed")
        return 0
    removal.carry_out()
    for target in targets:
        typer.echo(f"removed: {target.path}")
    listed_again(runs_dir, models_dir)
    return 0


def _require_no_options(context: typer.Context) -> None:
    """Raise InputError for options of the list before a command, which would be lost."""
    given = [
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise InputError(
            "options of the list do nothing here",
            where=f"runs {context.invoked_subcommand}",
            mend="put them behind the command",
        )


def _edit(
    name: str,
    runs_dir: Path,
    models_dir: Path,
    *,
    add: list[str] | None = None,
    drop: list[str] | None = None,
    text: str | None = None,
) -> None:
    """Change what is written down about a folder, and print it."""
    from essay_scoring.records.listed import change_note, edited
    from essay_scoring.reports.runs_index import listed_again
    from essay_scoring.runs.removal import found

    place = found(name, runs_dir, models_dir)
    changed = change_note(
        place.root, place.folder, lambda old: edited(old, add=add or (), drop=drop or (), text=text)
    )
    typer.echo(f"{place.path}\ntags: {', '.join(changed.tags) or '-'}\nnote: {changed.note or '-'}")
    listed_again(runs_dir, models_dir)


def _require_unreferenced(removal: Removal) -> None:
    """Raise InputError naming what refers to a folder that is to go."""
    if references := removal.references():
        first = references[0]
        more = f", and {len(references) - 1} more" if len(references) > 1 else ""
        raise InputError(
            f"{first.by} refers to it{more}",
            where=str(first.to.path),
            mend="remove that too, by naming both, or give --force",
        )


def _agreed(removal: Removal) -> bool:
    """Ask whether folders may go; InputError where nobody can be asked."""
    from essay_scoring.reports.words import size_on_disk
    from essay_scoring.runs.folder_listing import size_of

    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here", where="runs rm", mend="give --yes")
    paths = [*(target.path for target in removal.targets), *removal.beside]
    for path in paths:
        typer.echo(f"{path}  {size_on_disk(size_of(path))}")
    try:
        return typer.confirm("Remove for good?", default=False)
    except typer.Abort:
        return False
