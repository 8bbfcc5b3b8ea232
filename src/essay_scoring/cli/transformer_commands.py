"""The command that fine-tunes: transformer-finetune."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from essay_scoring.cli.expected import expects
from essay_scoring.cli.help_pages import Panel, PlainCommand
from essay_scoring.cli.options import (
    CACHE,
    RUNS,
    CacheFolder,
    ConfigFile,
    DataFolder,
    Overrides,
    RunsFolder,
    SchemeName,
    config_workspace,
    settings_given,
    workspace,
)


class PrecisionName(StrEnum):
    """In which numbers the network computes."""

    NONE = "none"
    BF16 = "bf16"
    FP16 = "fp16"
    AUTO = "auto"


ModelName = Annotated[
    str | None, typer.Option(help="The encoder: a known name, a folder or a hub name.")
]
MaxLength = Annotated[int | None, typer.Option(help="Tokens in a chunk.")]
Overlap = Annotated[int | None, typer.Option(help="Tokens that neighbouring chunks share.")]
UseLora = Annotated[
    bool | None, typer.Option("--use-lora/--no-use-lora", help="Adapters, or all weights.")
]
GradientCheckpointing = Annotated[
    bool | None,
    typer.Option(
        "--gradient-checkpointing/--no-gradient-checkpointing",
        help="Less memory for a third more time.",
    ),
]
Precision = Annotated[
    PrecisionName | None, typer.Option(help="What matrix products are computed in.")
]
RequireGpu = Annotated[
    bool, typer.Option("--require-gpu/--no-require-gpu", help="Refuse to train on a CPU.")
]
Invariance = Annotated[
    str | None,
    typer.Option(
        help="The invariance method, as it is by default; a wrong name lists all of them.",
        metavar="METHOD",
    ),
]
Canary = Annotated[
    bool, typer.Option("--canary", help="Only try one training step, and say how it went.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("transformer-finetune", cls=PlainCommand, rich_help_panel=Panel.RUN)(
        transformer_finetune
    )


def transformer_finetune(
    config: ConfigFile,
    overrides: Overrides = None,
    scheme: Annotated[SchemeName | None, typer.Option(help="Override the scheme.")] = None,
    splits_path: Annotated[
        Path | None, typer.Option(callback=expects("splits", "table"), help="Use these splits.")
    ] = None,
    model_name: ModelName = None,
    max_length: MaxLength = None,
    chunk_overlap_tokens: Overlap = None,
    use_lora: UseLora = None,
    gradient_checkpointing: GradientCheckpointing = None,
    mixed_precision: Precision = None,
    require_gpu: RequireGpu = False,
    invariance: Invariance = None,
    run_name: Annotated[str | None, typer.Option(help="Override the run's name.")] = None,
    canary: Canary = False,
    runs_dir: RunsFolder = RUNS,
    cache_dir: CacheFolder = CACHE,
    data_dir: DataFolder = None,
) -> None:
    """Fine-tune a transformer and cross-validate it.

    Writes the run folder of cv, with cv_metrics.json, the residual files, truncation_coverage.json
    and the reports; models/ holds every fold's adapter. The same command resumes what was
    interrupted, from the last epoch that was finished. With --canary it writes no run folder:
    it prints one line, or exits 1 if a number was not finite.
    """
    from essay_scoring.cli import run_commands
    from essay_scoring.cli.progress_display import progress_display
    from essay_scoring.records.config import load_run_config
    from essay_scoring.runs import fine_tuning

    flags = {
        "scheme": scheme,
        "splits_path": splits_path,
        "scorer.model_name": model_name,
        "scorer.max_length": max_length,
        "scorer.chunk_overlap_tokens": chunk_overlap_tokens,
        "scorer.use_lora": use_lora,
        "scorer.gradient_checkpointing": gradient_checkpointing,
        "scorer.mixed_precision": mixed_precision,
        "scorer.invariance.method": invariance,
        "name": run_name,
    }
    settings = load_run_config(config, [*(overrides or []), *settings_given(flags)])
    fine_tuning.require_transformer(settings)
    if require_gpu:
        fine_tuning.require_gpu()
    space = workspace(runs_dir, cache_dir, data_dir)
    space = config_workspace(config, settings.data.corpus, space, data_dir)
    if canary:
        typer.echo(fine_tuning.run_smoke_step(settings, space, progress_display()).line())
    else:
        run_commands.cross_validate(settings, space)
