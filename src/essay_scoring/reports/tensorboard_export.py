"""The training curves of a finished run as TensorBoard shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.manifest import require_outside
from essay_scoring.reports.fold_scalars import FoldScalars, folds_of, run_times


def export_tensorboard(run: Path, folder: Path) -> list[Path]:
    """Write FOLDER/<run>/fold-K with the scalars of each fold, and return those folders.

    Exported again, they are replaced. Raises MissingExtraError without tensorboard, and
    EvidenceError for a run that is not as it was written.
    """
    require_outside(run, folder)
    folds = folds_of(read_run(run).metrics)
    _, ended = run_times(run)
    target = folder / run.resolve().name
    staging = target.with_name(f".{target.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    for fold in folds:
        _write(staging / fold.name, fold, ended)
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)
    return [target / fold.name for fold in folds]


def _write(folder: Path, fold: FoldScalars, at: float) -> None:
    """Write one event file, dated `at` (seconds since 1970)."""
    try:
        from tensorboard.summary import Writer
    except ImportError:
        raise MissingExtraError("tensorboard", "tensorboard") from None
    writer = Writer(str(folder))
    try:
        for scalar in fold.scalars:
            writer.add_scalar(scalar.name, scalar.value, scalar.step, wall_time=at)
    finally:
        writer.close()
