"""The command that starts from a table: init."""

from __future__ import annotations

import os.path
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    DecimalOption,
    EncodingOption,
    QuotingOption,
    Repeats,
    RepeatsOption,
    SeparatorOption,
    SimilarOption,
    SimilarPrompts,
    named_columns,
    table_format,
)

if TYPE_CHECKING:
    from essay_scoring.data.survey import Named, TableSurvey
    from essay_scoring.judging.starter import Ability, Starter

_SHOWN = 12


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("init", cls=PlainCommand, rich_help_panel=Panel.DATA)(init)


def init(
    file: Annotated[
        Path,
        typer.Argument(
            callback=expects("table"), help="A table of scored essays, one row per essay."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write.", show_default="a folder named like the file"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column holds, score=NAME. Repeatable.", metavar="ROLE=NAME"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Scores that are words, in ascending order: low,medium,high."),
    ] = None,
    folds: Annotated[
        Path | None,
        typer.Option(
            callback=expects("table"),
            help="A table of id and fold that holds whole prompts out.",
            show_default="a column fold of the essays, else drawn",
        ),
    ] = None,
    repeats: RepeatsOption = Repeats.KEEP,
    similar_prompts: SimilarOption = SimilarPrompts.REFUSE,
    encoding: EncodingOption = "auto",
    separator: SeparatorOption = "auto",
    decimal: DecimalOption = "auto",
    quoting: QuotingOption = "double",
    cache_dir: CacheFolder = CACHE,
) -> None:
    """Look at a table of scored essays and write the configs of a study on it.

    Shows which column holds what (id, text, prompt, prompt_text, score, second_score, rater,
    weight, fold), the scales and the prompts, and asks. Writes OUT/: data.toml, reference.toml,
    candidate.toml, gate.toml, study.toml, and folds.csv where the table has folds of its own; then
    reads and checks the whole table by them. Shows and writes no essay text.
    """
    from essay_scoring.data.data_settings import Preparation
    from essay_scoring.data.survey import ROLES, Named

    named = Named(
        named_columns(column or [], ROLES),
        tuple(labels.split(",")) if labels else (),
        table_format(encoding, separator, decimal, quoting),
    )
    starter = _starter(file, out, named)
    wanted = Preparation(repeats=repeats.value, similar_prompts=similar_prompts.value)
    starter = replace(starter, preparation=wanted, folds_file=folds)
    typer.echo("\n".join(survey_lines(starter)))
    for note in starter.notes():
        typer.echo(f"note: {note}")
    if not yes:
        _ask(starter.folder)
    _write(starter, cache_dir)


def _starter(file: Path, out: Path | None, named: Named) -> Starter:
    """Return what is written for a table; InputError for a folder that holds something."""
    from essay_scoring.core.files import plain_path
    from essay_scoring.data.survey import survey_table
    from essay_scoring.judging.starter import Starter, models_for, require_new, starter_name

    folder = require_new(Path(starter_name(file.name.split(".")[0])) if out is None else out)
    name = starter_name(folder.resolve().name)
    # As the configs of the folder will name it, so that a warning is the same line both times.
    path = plain_path(folder / os.path.relpath(file, folder))
    return Starter(folder, name, survey_table(path, named), models_for(ability()))


def _write(starter: Starter, cache: Path) -> None:
    """Write the folder, and print what came of reading the table by it."""
    from essay_scoring.cli.progress_display import progress_display
    from essay_scoring.judging.starter import write_starter
    from essay_scoring.records.workspace import Workspace

    folder = starter.folder
    run = write_starter(starter, Workspace(RUNS, cache, folder), progress_display())
    manifest = run.prepared.manifest
    counts = manifest["counts"]["train"]
    typer.echo(
        f"\n{counts['after_window']} of {counts['read']} essays stay; see {folder}/data.toml"
    )
    for note in manifest["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"wrote {folder}/\nnext: essay-scoring study {starter.study}")


def ability() -> Ability:
    """Return which optional parts are installed here."""
    from essay_scoring.judging.starter import Ability
    from essay_scoring.launch.extras import EXTRAS, versions_of

    has = {each.name: None not in versions_of(each.packages).values() for each in EXTRAS}
    return Ability(has["language"], has["transformer"], has["boosted"])


def _ask(folder: Path) -> None:
    """Ask whether to write; InputError where nobody can answer."""
    from essay_scoring.core.errors import InputError

    if not sys.stdin.isatty():
        raise InputError(
            "nobody can be asked here whether this is right",
            where=str(folder),
            mend="look at it, correct it with --column, then give --yes",
        )
    typer.confirm(f"Write {folder}/?", default=True, abort=True)


def survey_lines(starter: Starter) -> list[str]:
    """Return what was understood of a table, line by line; nothing of an essay."""
    survey = starter.survey
    layout = survey.table.file.layout
    apart = f", cells apart by {layout.separator!r}" if layout.separator else ""
    lines = [
        f"{survey.table.path}: {survey.table.n_rows} rows, read as {layout.encoding}{apart}",
        "",
        "columns",
        *(f"  {role:<13} {name}" for role, name in _parts(survey)),
        "",
        *_scales(starter),
    ]
    middle = survey.words[len(survey.words) // 2]
    return [*lines, f"words: {survey.words[0]} to {survey.words[-1]}, half below {middle}"]


def _parts(survey: TableSurvey) -> list[tuple[str, str]]:
    columns = survey.corpus.columns
    parts = [
        ("id", columns.id or "none: rows are numbered"),
        ("text", columns.text),
        ("prompt", f"{columns.prompt}, {len(survey.counts)} prompts"),
        ("prompt text", f"{columns.prompt_text}, what was asked" if columns.prompt_text else ""),
        ("score", columns.score),
        ("other scores", ", ".join(columns.other_scores)),
        ("rater", columns.rater or ""),
        ("weight", f"{columns.weight}, in training alone" if columns.weight else ""),
        ("groups", ", ".join(columns.writers)),
        ("traits", ", ".join(columns.traits)),
        ("fold", survey.folds or ""),
        ("not used", ", ".join(survey.unused)),
    ]
    return [(role, name) for role, name in parts if name]


def _scales(starter: Starter) -> list[str]:
    """Return the prompts with their essays, scores and scales."""
    from essay_scoring.data.rows import shown
    from essay_scoring.judging.starter import with_known_scales
    from essay_scoring.reports.table_cells import plain_table

    survey = starter.survey
    corpus = with_known_scales(survey)
    rows = []
    for name, count in list(survey.counts.items())[:_SHOWN]:
        low, high = survey.ranges.get(name, (float("nan"), float("nan")))
        scale = corpus.scales.of(name).span if name in survey.ranges else "-"
        rows.append((shown(name).replace("'", ""), str(count), f"{low:g} to {high:g}", scale))
    more = len(survey.counts) - len(rows)
    labels = [f"labels: {' < '.join(corpus.labels)}"] if corpus.labels else []
    return [
        *labels,
        plain_table(("prompt", "essays", "scores", "scale"), rows),
        *([f"and {more} prompts more"] if more > 0 else []),
        "",
    ]
