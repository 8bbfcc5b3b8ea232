"""Commands that hand a finished run on: columns, rsmtool, mlflow, tensorboard, adapter."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import GroupedCommands, PlainCommand
from essay_scoring.cli.options import CACHE, RUNS, CacheFolder, DataFolder

if TYPE_CHECKING:
    from essay_scoring.records.workspace import Workspace

app = typer.Typer(
    cls=GroupedCommands,
    help="Finished runs for others: columns, rsmtool, mlflow, tensorboard, adapter; and schemas.",
    no_args_is_help=True,
)

RunFolder = Annotated[Path, typer.Argument(callback=expects("run"), help="A finished run folder.")]
OutFolder = Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")]


class SystemScore(StrEnum):
    """Which of a run's two predictions is exported."""

    RAW = "raw"
    FINAL = "final"


@app.command(cls=PlainCommand)
def columns(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write: .parquet or .csv.")],
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Write a run's feature columns without text, to fit its scorers again on any processor.

    Writes OUT (id, prompt, fold and score of each essay, then its columns, float32 to the last
    bit), NAME.json (what they come from, with hashes) and NAME.config.json, the run on this table
    alone: essay-scoring cv NAME.config.json predicts the same.
    """
    from essay_scoring.audits.columns_export import export_columns
    from essay_scoring.cli.progress_display import progress_display

    space = _space_of(run, cache_dir, data_dir)
    for path in export_columns(run, out, space, progress_display()):
        typer.echo(str(path))


@app.command(cls=PlainCommand)
def rsmtool(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV file to write.")],
    prompt: Annotated[
        str | None, typer.Option(help="Only this prompt: RSMTool evaluates one scale at a time.")
    ] = None,
    system: Annotated[
        SystemScore, typer.Option(help="The prediction before or after it was mapped to a score.")
    ] = SystemScore.RAW,
) -> None:
    """Write a run's predictions as RSMTool reads them: ID, human, human2, system and prompt.

    Writes OUT, and beside it NAME.json, for: rsmeval NAME.json. Scores of a second rater are there
    where the corpus has them. Texts that a spreadsheet would take for formulas get an apostrophe.
    """
    from essay_scoring.reports import rsmtool_export

    export = rsmtool_export.RsmExport(run, prompt, system.value)
    for path in rsmtool_export.export_rsmtool(export, out):
        typer.echo(str(path))


@app.command(cls=PlainCommand)
def mlflow(
    run: RunFolder,
    uri: Annotated[
        str,
        typer.Option(envvar="MLFLOW_TRACKING_URI", help="A tracking server, or sqlite:///FILE."),
    ],
    experiment: Annotated[str, typer.Option(help="MLflow's experiment.")] = "essay-scoring",
) -> None:
    """Put a run into MLflow, once: params, metrics, a nested run for each fold, artifacts.

    Artifacts are config, provenance, manifest, artifacts/, reports/ and views/: no models, no essay
    text. A run that stands there is left as it is.
    """
    from essay_scoring.reports.mlflow_export import export_mlflow

    exported = export_mlflow(run, uri, experiment)
    typer.echo(f"mlflow run: {exported.run_id}{' (stood there)' if exported.stood else ''}")


@app.command(cls=PlainCommand)
def tensorboard(run: RunFolder, out: OutFolder) -> None:
    """Write the curves of each fold as TensorBoard's event files.

    Writes OUT/<run>/fold-K/, for: tensorboard --logdir OUT. Losses on train and dev, a
    transformer's learning rate, what an invariance method recorded (the adversary's accuracy among
    it), and the fold's agreement.
    """
    from essay_scoring.reports.tensorboard_export import export_tensorboard

    for folder in export_tensorboard(run, out):
        typer.echo(str(folder))


@app.command(cls=PlainCommand)
def adapter(
    run: RunFolder,
    fold: Annotated[int, typer.Option(min=0, help="The fold that the model never saw.")],
    out: OutFolder,
) -> None:
    """Write a fold's low-rank adapters as Hugging Face's peft loads them.

    Writes adapter_config.json, adapter_model.safetensors, head.safetensors (what stands on top of
    the encoder) and README.md, which says how a score comes of them.
    """
    from essay_scoring.scoring.adapter_export import export_adapter

    for path in export_adapter(run, fold, out):
        typer.echo(str(path))


@app.command(cls=PlainCommand)
def schemas(out: OutFolder) -> None:
    """Write the JSON schemas of all files that have one, and fields.md, their fields as tables."""
    from essay_scoring.cli.schema_list import SCHEMAS
    from essay_scoring.reports.schemas import write_schemas

    for path in write_schemas(SCHEMAS, out):
        typer.echo(str(path))


def _space_of(run: Path, cache: Path, data: Path | None) -> Workspace:
    from essay_scoring.cli.options import run_workspace, workspace

    return run_workspace(run, workspace(RUNS, cache, data), data)
