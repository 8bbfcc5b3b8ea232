"""Commands on data: validate, prepare-dataset, make-splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import CACHE, RUNS, CacheFolder, ConfigFile, DataFolder, Overrides

if TYPE_CHECKING:
    from essay_scoring.data.data_settings import DataSettings


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("validate", cls=PlainCommand, rich_help_panel=Panel.DATA)(validate)
    app.command("prepare-dataset", cls=PlainCommand, rich_help_panel=Panel.DATA)(prepare_dataset)
    app.command("make-splits", cls=PlainCommand, rich_help_panel=Panel.DATA)(make_splits)


def validate(config: ConfigFile, overrides: Overrides = None) -> None:
    """Check a run config and print it in full as JSON. Writes nothing."""
    from essay_scoring.records.config import load_run_config

    typer.echo(load_run_config(config, overrides or []).model_dump_json(indent=2))


def prepare_dataset(
    config: Annotated[
        Path,
        typer.Argument(
            callback=expects("data", "config"), help="A TOML file with a [data] table: any config."
        ),
    ],
    overrides: Overrides = None,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Read, check and filter a corpus, and draw its folds.

    Takes any TOML file with a [data] table. Writes under CACHE/prepared/: train.parquet,
    locked.parquet, rows_dropped.csv, splits.json, prepared.json and
    reports/dataset_integrity_report.md.
    """
    from essay_scoring.cli.options import config_workspace, workspace
    from essay_scoring.cli.progress_display import progress_display
    from essay_scoring.data.preparation import prepare

    settings = _data_settings(config, overrides or [])
    space = workspace(RUNS, cache_dir, data_dir)
    space = config_workspace(config, settings.corpus, space, data_dir)
    prepared = prepare(
        settings, space.data, space.prepared, progress_display(), tell=lambda _: None
    )
    for part, counts in prepared.manifest["counts"].items():
        steps = ", ".join(f"{count} {step.replace('_', ' ')}" for step, count in counts.items())
        typer.echo(f"{part}: {steps}")
    for scheme, sizes in prepared.manifest["folds"].items():
        typer.echo(f"folds of {scheme}: {', '.join(map(str, sizes))} essays")
    for note in prepared.manifest["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"prepared: {prepared.folder}")
    typer.echo(f"report: {prepared.folder / 'reports' / 'dataset_integrity_report.md'}")


def make_splits(
    prepared_folder: Annotated[
        Path, typer.Argument(callback=expects("prepared"), help="A folder made by prepare-dataset.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The splits.json to write.")],
    n_splits: Annotated[int, typer.Option(min=2, max=50, help="How many folds.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the shuffle.")] = 42,
) -> None:
    """Draw other folds of prepared data than those it came with.

    Writes one splits.json with both schemes, for `cv --splits-path`.
    """
    from essay_scoring.data.data_settings import SplitSettings
    from essay_scoring.data.preparation import load_prepared
    from essay_scoring.data.splits import SCHEMES, draw_splits

    settings = SplitSettings(n_splits=n_splits, seed=seed)
    prepared = load_prepared(prepared_folder)
    splits = draw_splits(prepared, settings, out)
    for scheme in SCHEMES:
        typer.echo(f"folds of {scheme}: {', '.join(map(str, splits.sizes(scheme)))} essays")
    for note in splits.notes(prepared.train):
        typer.echo(f"note: {note}")
    typer.echo(f"splits: {out}")


def _data_settings(config: Path, overrides: list[str]) -> DataSettings:
    """Return the [data] table of a run config, or of a file that holds nothing else."""
    from essay_scoring.core.errors import InputError
    from essay_scoring.core.settings import build_settings
    from essay_scoring.data.data_settings import DataSettings
    from essay_scoring.records.config import apply_overrides, read_extended_toml

    values = apply_overrides(read_extended_toml(config), overrides)
    if "data" not in values:
        raise InputError("no [data] table", where=str(config), mend="add [data.corpus]")
    return build_settings(DataSettings, values["data"], f"{config}, [data]")
