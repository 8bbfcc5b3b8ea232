"""Commands on runs: cv, study, final-test, import-predictions, report, status."""

from __future__ import annotations

from dataclasses import replace
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
    DecimalOption,
    EncodingOption,
    LedgerFolder,
    Overrides,
    QuotingOption,
    RunsFolder,
    SchemeName,
    SeparatorOption,
    SimilarOption,
    SimilarPrompts,
    config_workspace,
    models_folder,
    named_columns,
    resume_command,
    run_workspace,
    settings_given,
    table_format,
    workspace,
)
from essay_scoring.cli.progress_display import progress_display

if TYPE_CHECKING:
    from essay_scoring.core.scale import ScoreScales
    from essay_scoring.records.config import RunConfig
    from essay_scoring.records.kinds import PathKind
    from essay_scoring.records.workspace import Workspace

WORK: tuple[PathKind, ...] = ("run", "study-folder", "traits-folder", "search-folder")
"""The kinds of folder that a command worked in, with pages to look at."""

PageFolder = Annotated[
    Path,
    typer.Argument(
        callback=expects(*WORK, "runs-folder"),
        help="A finished run, study or search, or a folder of runs.",
    ),
]
WorkFolder = Annotated[
    Path,
    typer.Argument(
        callback=expects(*WORK, "model", "final-test"),
        help="The folder of a run, or of other work.",
    ),
]


class RawMapping(StrEnum):
    """How imported raw predictions become scores."""

    ROUND_HALF_BAND = "round_half_band"
    QWK_CUTPOINTS_LFO = "qwk_cutpoints_lfo"
    QWK_CUTPOINTS_SHRUNK = "qwk_cutpoints_shrunk"
    MEAN_SIGMA_LFO = "mean_sigma_lfo"
    MEAN_SIGMA_BY_PROMPT = "mean_sigma_by_prompt"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("cv", cls=PlainCommand, rich_help_panel=Panel.RUN)(cv)
    app.command("import-predictions", cls=PlainCommand, rich_help_panel=Panel.RUN)(
        import_predictions
    )
    app.command("final-test", cls=PlainCommand, rich_help_panel=Panel.JUDGE)(final_test)
    app.command("report", cls=PlainCommand, rich_help_panel=Panel.INSPECT)(report)
    app.command("status", cls=PlainCommand, rich_help_panel=Panel.INSPECT)(status)


def cv(
    config: ConfigFile,
    overrides: Overrides = None,
    scheme: Annotated[SchemeName | None, typer.Option(help="Override the scheme.")] = None,
    run_name: Annotated[str | None, typer.Option(help="Override the run's name.")] = None,
    splits_path: Annotated[
        Path | None,
        typer.Option(
            callback=expects("splits", "table"),
            help="Use these splits: a splits.json, or a table of id and fold.",
        ),
    ] = None,
    part: Annotated[
        int | None,
        typer.Option(help="Do only this part of the run: fits that can be done beside others."),
    ] = None,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Cross-validate one configuration.

    Writes RUNS/<name>-<fingerprint>/: config.json, provenance.json, status.json, progress.json,
    run.log, models/, artifacts/ (cv_metrics.json, residuals_cv_val_oof.csv and .jsonl,
    truncation_coverage.json), reports/ (residual_diagnostics.md), views/ (report.html,
    cv_report.md) and, last, manifest.json. The same command resumes what was interrupted. With
    --part it leaves its fits alone in models/, for the whole command to find.
    """
    from essay_scoring.records.config import load_run_config
    from essay_scoring.runs.parts import run_part
    from essay_scoring.runs.run import open_run

    flags = {"scheme": scheme, "name": run_name, "splits_path": splits_path}
    settings = load_run_config(config, [*(overrides or []), *settings_given(flags)])
    space = workspace(runs_dir, cache_dir, data_dir)
    space = config_workspace(config, settings.data.corpus, space, data_dir)
    if part is None:
        cross_validate(settings, space)
    else:
        run = open_run(settings, space, progress_display())
        folder = run_part(run, part, resume=resume_command())
        typer.echo(f"part {part} of {folder}")


def cross_validate(config: RunConfig, space: Workspace) -> None:
    """Do what is not done yet of a run, and print its figures."""
    from essay_scoring.cli.display import list_again, print_run
    from essay_scoring.reports.run_reports import write_run_reports
    from essay_scoring.runs.cv import run_cv
    from essay_scoring.runs.run import open_run

    run = open_run(config, space, progress_display())
    print_run(run_cv(run, report=write_run_reports, resume=resume_command()))
    list_again(space.runs)


def import_predictions(
    file: Annotated[
        Path, typer.Argument(callback=expects("table"), help="A table, one row per essay.")
    ],
    run_name: Annotated[str, typer.Option(help="The name of the run.")],
    scheme: Annotated[SchemeName, typer.Option(help="How essays were held out.")] = (
        SchemeName.PROMPT_HOLDOUT
    ),
    scale: Annotated[
        str, typer.Option(help="LOW:HIGH:STEP, or a TOML file with one scale per prompt.")
    ] = "1:5:0.5",
    mapping: Annotated[
        RawMapping | None,
        typer.Option(
            help="How raw predictions become scores where y_pred is absent.",
            show_default="qwk_cutpoints_lfo where there are folds and one scale, else rounding",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column is called in the file, y_true=NAME. Repeatable."),
    ] = None,
    similar_prompts: SimilarOption = SimilarPrompts.REFUSE,
    encoding: EncodingOption = "auto",
    separator: SeparatorOption = "auto",
    decimal: DecimalOption = "auto",
    quoting: QuotingOption = "double",
    runs_dir: RunsFolder = RUNS,
) -> None:
    """Make a run of another scorer's out-of-fold predictions, to compare and report.

    FILE is .csv, .tsv, .jsonl (or one of them as .gz), .xlsx or .parquet. It holds record_id,
    prompt, fold, y_true and y_pred_raw, y_pred or both, and may hold second_score, for human
    ceilings in `audit`. Writes the same run folder as cv, without models.
    """
    from essay_scoring.cli.display import list_again, print_run
    from essay_scoring.reports.run_reports import write_run_reports
    from essay_scoring.runs import import_predictions as importing

    request = importing.ImportRequest(
        path=file,
        name=run_name,
        scheme=scheme.value,
        scales=_scales(scale),
        mapping=None if mapping is None else mapping.value,
        similar_prompts=similar_prompts.value,
        columns=named_columns(column or [], importing.COLUMNS),
        form=table_format(encoding, separator, decimal, quoting),
    )
    run = importing.import_predictions(
        request,
        runs_dir,
        progress_display(),
        report=write_run_reports,
        resume=resume_command(),
    )
    print_run(run)
    list_again(runs_dir)


def final_test(
    run: Annotated[Path, typer.Argument(callback=expects("run"), help="A finished run folder.")],
    decision: Annotated[
        Path,
        typer.Option(
            callback=expects("study-folder"), help="The study folder that decided for the run."
        ),
    ],
    again: Annotated[
        str | None, typer.Option(help="Why the locked test is opened once more.", metavar="REASON")
    ] = None,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
    ledger_dir: LedgerFolder = None,
) -> None:
    """Score the locked test with the decided run and the study's reference, once.

    Appends the opening to DATA/locked_test_ledger.jsonl before any locked score is read, then
    writes RUNS/<run>-final-<number>/ with opening.json, artifacts/final_test.json and the residual
    files of both runs. Exits 4 where any of the essays was opened before, whatever runs folder it
    was for, and 5 while another process scores them.
    """
    from essay_scoring.cli.display import print_final
    from essay_scoring.runs.final_test import Decided, run_final_test

    folder = run_final_test(
        Decided(run, decision, again),
        replace(
            run_workspace(run, workspace(runs_dir, cache_dir, data_dir), data_dir),
            ledgers=ledger_dir,
        ),
        progress_display(),
        resume=resume_command(),
    )
    print_final(folder)


def report(run: PageFolder) -> None:
    """Make the pages of a finished run, study or search again, or the index of a runs folder.

    Writes views/ of the folder (of a run report.html and cv_report.md, else report.html) and
    nothing else: a folder whose evidence was changed since it ended is refused. Of a runs folder
    writes index.html, which lists what it holds; cv, study, audit, explain and card write it too.
    """
    from essay_scoring.core.record import read_record
    from essay_scoring.records.manifest import require_intact
    from essay_scoring.records.trait_results import TRAITS, TraitsRecord
    from essay_scoring.reports.run_reports import write_run_views
    from essay_scoring.reports.runs_index import is_runs_folder, write_index
    from essay_scoring.reports.search_report import write_grid_views, write_search_views
    from essay_scoring.reports.study_reports import write_study_views
    from essay_scoring.reports.traits_report import write_traits_views

    if is_runs_folder(run):
        typer.echo(str(write_index(run, models_folder())))
        return
    require_intact(run)
    writers = {
        "study.json": write_study_views,
        "artifacts/search.json": write_search_views,
        "artifacts/sweep.json": write_grid_views,
        TRAITS: lambda folder: write_traits_views(
            folder, read_record(TraitsRecord, folder / TRAITS)
        ),
    }
    kinds = (write for name, write in writers.items() if (run / name).is_file())
    for path in next(kinds, write_run_views)(run):
        typer.echo(str(path))


def status(run: WorkFolder) -> None:
    """Say how a run stands: complete, running, interrupted, failed or killed.

    Writes nothing.
    """
    from essay_scoring.cli.display import print_status
    from essay_scoring.runs.session import read_status

    print_status(read_status(run))


def _scales(text: str) -> ScoreScales:
    """Return the scales of LOW:HIGH:STEP or of a TOML file."""
    from essay_scoring.core.errors import InputError
    from essay_scoring.core.scale import ScoreScales
    from essay_scoring.core.settings import build_settings, read_toml

    if text.endswith(".toml"):
        return build_settings(ScoreScales, read_toml(Path(text)), text)
    try:
        low, high, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(
            f"--scale {text!r} is not LOW:HIGH:STEP", mend="write for example --scale 1:5:0.5"
        ) from None
    shared = {"low": low, "high": high, "step": step}
    return build_settings(ScoreScales, {"shared": shared}, f"--scale {text}")
