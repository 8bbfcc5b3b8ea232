"""Commands that use a decided scorer: train, score."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import (
    CACHE,
    MODELS,
    RUNS,
    CacheFolder,
    ConfigFile,
    DataFolder,
    DecimalOption,
    EncodingOption,
    ModelsFolder,
    Overrides,
    QuotingOption,
    RunsFolder,
    SeparatorOption,
    config_workspace,
    resume_command,
    table_format,
    workspace,
)
from essay_scoring.cli.progress_display import progress_display

if TYPE_CHECKING:
    from essay_scoring.scoring.input_table import ColumnNames
    from essay_scoring.scoring.scoring_pool import LoadedModel

STANDARD_INPUT = Path("-")


ModelFolder = Annotated[
    Path, typer.Argument(callback=expects("model"), help="A model folder that train wrote.")
]
EssayTable = Annotated[
    Path,
    typer.Argument(
        callback=expects("table"), help="A table, one row per essay; - for standard input."
    ),
]

PromptColumn = Annotated[
    str | None,
    typer.Option(help="The column of the prompts.", show_default="prompt, if there is one"),
]

PromptTextColumn = Annotated[
    str | None,
    typer.Option(
        help="The column of what they asked.", show_default="prompt_text, if there is one"
    ),
]

ImportedTables = Annotated[
    list[Path] | None,
    typer.Option(
        "--imported",
        help="Imported columns of these essays, a table for each of the model's. Repeatable.",
        show_default="the tables of training",
    ),
]

ScoringWorkers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Processes that score; one a core unless told.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("train", cls=PlainCommand, rich_help_panel=Panel.USE)(train)
    app.command("score", cls=PlainCommand, rich_help_panel=Panel.USE)(score)


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    coverage: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="The coverage of prediction intervals.")
    ] = 0.9,
    models_dir: ModelsFolder = MODELS,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Fit a decided configuration on all training essays, to score new ones with.

    Does the config's run under prompt holdout first, or finds it: its out-of-fold predictions give
    cut-points and prediction intervals. Writes MODELS/<name>-<fingerprint>/: scorer/ (weights in
    formats that cannot run code), config.json, provenance.json, model.json (scale, cut-points),
    interval.json (coverage asked for and measured), flags.json, flags.safetensors and, last,
    manifest.json. The same command resumes what was interrupted.
    """
    from essay_scoring.cli.display import list_again
    from essay_scoring.core.files import read_json
    from essay_scoring.records.config import load_run_config
    from essay_scoring.reports.run_reports import write_run_reports
    from essay_scoring.scoring.train_model import TrainingOrder, train_model

    order = TrainingOrder(load_run_config(config, overrides or []), models_dir, coverage)
    space = workspace(runs_dir, cache_dir, data_dir)
    folder = train_model(
        order,
        config_workspace(config, order.config.data.corpus, space, data_dir),
        progress_display(),
        report=write_run_reports,
        resume=resume_command(),
    )
    interval = read_json(folder / "interval.json")
    held = interval["measured"]
    parts = [f"  {one['share']:.3f} of {one['n_essays']}, {one['part']}" for one in held["parts"]]
    typer.echo(
        f"interval: {interval['finding']}\n"
        f"measured, each prompt left out in turn: {held['estimate']:.3f} "
        f"[{held['low']:.3f}, {held['high']:.3f}] of {held['n_essays']} essays, "
        f"{held['n_prompts']} prompts; mean width {held['mean_width']:.3f} of the scale"
    )
    typer.echo("\n".join([*parts, f"model: {folder}"]))
    list_again(runs_dir, models_dir)


def score(
    model: ModelFolder,
    file: EssayTable,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The file to write: .csv or .parquet.", show_default=False
        ),
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column of the essays.")] = "text",
    prompt_column: PromptColumn = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="The prompt of all essays.", metavar="NAME")
    ] = None,
    prompt_text_column: PromptTextColumn = None,
    id_column: Annotated[
        str | None, typer.Option(help="The column that names rows, in errors and --imported.")
    ] = None,
    imported: ImportedTables = None,
    encoding: EncodingOption = "auto",
    separator: SeparatorOption = "auto",
    decimal: DecimalOption = "auto",
    quoting: QuotingOption = "double",
    keep_text: Annotated[
        bool, typer.Option("--keep-text/--no-keep-text", help="Keep the essays in the output.")
    ] = False,
    workers: ScoringWorkers = None,
    cache_dir: CacheFolder = CACHE,
) -> None:
    """Score new essays with a trained model.

    FILE is .csv, .tsv, .jsonl (or one of them as .gz), .xlsx or .parquet. Writes OUT: the file's
    own columns without the essays, then predicted_band, predicted_raw, interval_low, interval_high,
    and yes or no for too_short, too_long, off_language, many_unknown_words, far_from_training and
    prompt_seen. The bytes are the same for any number of workers and the scores for any part of the
    file; the same command goes on after a kill. No cell of OUT.csv is a formula to a spreadsheet;
    OUT.parquet keeps the types of Parquet's columns, with true or false for yes or no.

    FILE - reads objects of JSON from standard input, one a line, and answers each with one line on
    standard output before it waits for the next: the object without the essay, with the same ten
    keys, or with error, mend and line.
    """
    from essay_scoring.core.worker_pool import worker_count
    from essay_scoring.scoring.input_table import ColumnNames
    from essay_scoring.scoring.scoring_pool import LoadedModel

    columns = ColumnNames(text_column, prompt_column, id_column, prompt, prompt_text_column)
    _require_output(file, out)
    if out is None:
        loaded = LoadedModel(model, cache_dir, tuple(imported or ()))
        answer_lines(loaded, columns, keep_text=keep_text)
        return
    from essay_scoring.scoring.score_file import ScoreRequest, score_file

    form = table_format(encoding, separator, decimal, quoting)
    read = (columns, form, keep_text, tuple(imported or ()))
    request = ScoreRequest(model, file, out, *read)
    count = score_file(request, cache_dir, progress_display(), workers=workers or worker_count())
    typer.echo(f"scored {count} essays: {out}")


def _require_output(file: Path, out: Path | None) -> None:
    """Raise InputError unless a file to write is named, or lines are answered without one."""
    from essay_scoring.core.errors import InputError

    if file == STANDARD_INPUT and out is not None:
        raise InputError("answers go to standard output", where="--out", mend="leave it out")
    if file != STANDARD_INPUT and out is None:
        raise InputError("no file to write is named", where="--out", mend="name a .csv or .parquet")


def answer_lines(loaded: LoadedModel, columns: ColumnNames, *, keep_text: bool) -> None:
    """Answer lines of standard input until it ends, each as soon as it is scored."""
    from essay_scoring.scoring.score_stream import score_lines

    for answer in score_lines(loaded.load(), sys.stdin.buffer, columns, keep_text=keep_text):
        typer.echo(answer)
        sys.stdout.flush()
