"""What the reports of one run are made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.scale import ScoreScales
from essay_scoring.records.residuals import STEM, Residuals, read_residuals


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run's `cv_metrics.json` as it stands, its out-of-fold residuals, and its prompt probe.

    `probe` is `prompt_probe.json` as it stands, None for a run without one.
    """

    metrics: dict[str, Any]
    residuals: Residuals
    probe: dict[str, Any] | None = None


def read_run_folder(folder: Path) -> RunFolder:
    """Return the artifacts of a run folder; raise InputError naming the file that is at fault."""
    metrics = metrics_of(folder)
    scales = ScoreScales.model_validate(metrics["scales"])
    residuals = read_residuals(folder / "artifacts" / f"{STEM}.jsonl", scales)
    probe = folder / "artifacts" / "prompt_probe.json"
    return RunFolder(metrics, residuals, read_json(probe) if probe.is_file() else None)


def metrics_of(folder: Path) -> dict[str, Any]:
    """Return a run folder's `cv_metrics.json`; raise InputError if it is none."""
    path = folder / "artifacts" / "cv_metrics.json"
    metrics: dict[str, Any] = read_json(path)
    try:
        schema, _ = metrics["schema"], ScoreScales.model_validate(metrics["scales"])
    except (KeyError, TypeError, ValidationError):
        raise InputError("not the metrics of a run", where=str(path)) from None
    if schema != 2:
        raise InputError(f"schema {schema}, not 2", where=str(path), mend="run it again")
    return metrics
