"""Options that several commands share."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects

if TYPE_CHECKING:
    from essay_scoring.data.data_settings import Corpus, TableFormat
    from essay_scoring.records.workspace import Workspace


class SchemeName(StrEnum):
    """The two ways of holding essays out."""

    PROMPT_HOLDOUT = "prompt_holdout"
    STRATIFIED_TEXT = "stratified_text"


ConfigFile = Annotated[
    Path,
    typer.Argument(
        callback=expects("config"), help="A TOML run config, or the config.json of an earlier run."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override one setting, a.b=value. Repeatable.", metavar="A.B=VALUE"),
]
Step = Annotated[
    str | None,
    typer.Option("--step", help="Do only this step, as a launch does: docs/launching.md."),
]
StepPart = Annotated[
    int | None, typer.Option("--part", help="Do only this task of the step.", metavar="N")
]
RunsFolder = Annotated[
    Path, typer.Option("--runs-dir", envvar="ESSAY_SCORING_RUNS", help="Where run folders lie.")
]
ModelsFolder = Annotated[
    Path,
    typer.Option("--models-dir", envvar="ESSAY_SCORING_MODELS", help="Where model folders lie."),
]
CacheFolder = Annotated[
    Path,
    typer.Option(
        "--cache-dir",
        envvar="ESSAY_SCORING_CACHE",
        help="Prepared data, features and encoders: all that can be made again.",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="ESSAY_SCORING_DATA",
        help="The folder that corpus paths are relative to.",
        show_default="the config's folder, or data",
    ),
]
LedgerFolder = Annotated[
    Path | None,
    typer.Option(
        "--ledger-dir",
        envvar="ESSAY_SCORING_LEDGER",
        help="Where openings of locked tests are recorded if the data folder cannot be written.",
        show_default="the data folder",
    ),
]

EncodingOption = Annotated[
    str,
    typer.Option("--encoding", help="The encoding of its text: utf-8, cp1252, mac-roman, ..."),
]
SeparatorOption = Annotated[
    str,
    typer.Option(
        "--separator", help="What separates its cells: comma, semicolon, tab, or a character."
    ),
]
DecimalOption = Annotated[
    str, typer.Option("--decimal", help="What stands before fractions in it: . or ,")
]
QuotingOption = Annotated[
    str, typer.Option("--quoting", help="double, or none where quotes are part of the text.")
]


class SimilarPrompts(StrEnum):
    """What to do about prompts that a typing error may have made of one."""

    REFUSE = "refuse"
    MERGE = "merge"
    KEEP = "keep"


class Repeats(StrEnum):
    """What to do about a text that is there several times."""

    KEEP = "keep"
    FIRST = "first"
    MEAN = "mean"
    DROP = "drop"


SimilarOption = Annotated[
    SimilarPrompts,
    typer.Option("--similar-prompts", help="What to do about prompts that are named nearly alike."),
]
RepeatsOption = Annotated[
    Repeats,
    typer.Option("--repeats", help="What to do about a text that is there several times."),
]

RUNS = Path("runs")
CACHE = Path("cache")
MODELS = Path("models")


def models_folder() -> Path:
    """Return where model folders lie for commands that have no option for it."""
    return Path(os.environ.get("ESSAY_SCORING_MODELS") or MODELS)


def settings_given(flags: Mapping[str, object]) -> list[str]:
    """Return the flags that were given as overrides, a.b=value; None is one that was not."""
    given = {key: value for key, value in flags.items() if value is not None}
    return [f"{key}={json.dumps(value, default=str)}" for key, value in given.items()]


def resume_command(arguments: Sequence[str] | None = None) -> str:
    """Return a command line as it would be typed again: the running one unless told."""
    return shlex.join(["essay-scoring", *(sys.argv[1:] if arguments is None else arguments)])


def table_format(encoding: str, separator: str, decimal: str, quoting: str) -> TableFormat:
    """Return how a table is read by the options of a command; InputError for a wrong one."""
    from essay_scoring.core.settings import build_settings
    from essay_scoring.data.data_settings import TableFormat

    values = {"encoding": encoding, "separator": separator, "decimal": decimal, "quoting": quoting}
    return build_settings(TableFormat, values, "the command's options")


def workspace(runs: Path, cache: Path, data: Path | None) -> Workspace:
    """Return the folders of a command that needs no corpus, or is told where its files are."""
    from essay_scoring.data.corpora import data_folder
    from essay_scoring.records.workspace import Workspace

    return Workspace(runs, cache, data or data_folder())


def config_workspace(
    config: Path, corpus: Corpus, space: Workspace, data: Path | None
) -> Workspace:
    """Return the folders of a command on a config: the corpus may lie beside it.

    Of one that a run, a model or a search wrote, it may lie where it lay then.
    """
    from essay_scoring.data.corpora import data_folder
    from essay_scoring.runs.session import remembered_data

    remembered = (remembered_data(folder) for folder in (config.parent, config.parent.parent))
    return replace(space, data=data or data_folder(corpus, config.parent, *remembered))


def run_workspace(run: Path, space: Workspace, data: Path | None) -> Workspace:
    """Return the folders of a command on a run, which remembers where its data were."""
    from essay_scoring.data.corpora import data_folder
    from essay_scoring.records.config import load_run_config
    from essay_scoring.runs.session import remembered_data

    place = None if data else remembered_data(run)
    if place is None:
        return space
    corpus = load_run_config(run / "config.json").data.corpus
    return replace(space, data=data_folder(corpus, place))


def named_columns(columns: Sequence[str], known: tuple[str, ...]) -> dict[str, str]:
    """Return the file's names of columns by the names that are `known` here."""
    from essay_scoring.core.errors import InputError

    out = {}
    for column in columns:
        ours, separator, theirs = column.partition("=")
        if not separator or ours not in known:
            raise InputError(
                f"--column {column!r} is not of the form NAME=THEIRS",
                mend=f"NAME is one of {', '.join(known)}",
            )
        out[ours] = theirs
    return out
