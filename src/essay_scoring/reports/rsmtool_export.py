"""A run's predictions as RSMTool's `rsmeval` reads them, with the experiment that evaluates them.

The columns are those of its own example, ID, human, human2 and system, and the prompt as a
subgroup (Madnani, Loukina, von Davier, Burstein and Cahill 2017).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json, write_text
from essay_scoring.core.scale import FloatArray, ScoreScale
from essay_scoring.core.spreadsheets import csv_line, harmless_cell
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.manifest import require_outside
from essay_scoring.statistics.predictions import Predictions

COLUMNS = ("ID", "human", "human2", "system", "prompt")
System = Literal["raw", "final"]


@dataclass(frozen=True)
class RsmExport:
    """What is exported: a run, of all prompts or one, its raw predictions or its final scores."""

    run: Path
    prompt: str | None = None
    system: System = "raw"


def export_rsmtool(export: RsmExport, path: Path) -> tuple[Path, Path]:
    """Write predictions to `path` and an experiment beside it, NAME.json; return both paths.

    RSMTool evaluates one score scale at a time: raises InputError for prompts of several scales,
    and for a prompt that is not there.
    """
    if path.suffix != ".csv":
        raise InputError("not named .csv", where=str(path), mend="give -o a name like it.csv")
    require_outside(export.run, path)
    every = read_run(export.run).predictions
    predictions = every if export.prompt is None else _of_prompt(every, export.prompt)
    scale = _one_scale(predictions)
    second = predictions.second if predictions.has_second else None
    experiment = path.with_suffix(".json")
    write_text(path, _table(predictions, export.system, second))
    write_json(experiment, _experiment(export, path.name, scale, has_second=second is not None))
    return path, experiment


def _of_prompt(predictions: Predictions, prompt: str) -> Predictions:
    rows = np.flatnonzero(np.asarray(predictions.prompts, dtype=object) == prompt)
    if not len(rows):
        known = ", ".join(repr(name) for name in sorted(set(predictions.prompts))[:20])
        raise InputError(f"no essay of the prompt {prompt!r}", mend=f"choose from {known}")
    return predictions.take(rows)


def _one_scale(predictions: Predictions) -> ScoreScale:
    scales = list(predictions.scales.for_prompts(predictions.prompts))
    if len(scales) > 1:
        raise InputError(
            f"the prompts have {len(scales)} score scales, and RSMTool evaluates one at a time",
            mend="export one prompt at a time with --prompt",
        )
    return scales[0]


def _table(predictions: Predictions, system: System, second: FloatArray | None) -> str:
    """Return the CSV: numbers to the last digit, no text that a spreadsheet takes for a formula."""
    p = predictions
    values = p.raw if system == "raw" else p.final
    others = np.full(len(p), np.nan) if second is None else second
    seconds = ["" if np.isnan(score) else repr(score) for score in others.tolist()]
    rows = zip(
        map(harmless_cell, p.ids),
        map(repr, p.true.tolist()),
        seconds,
        map(repr, values.tolist()),
        map(harmless_cell, p.prompts),
        strict=True,
    )
    return "".join(map(csv_line, (COLUMNS, *rows)))


def _experiment(
    export: RsmExport, file: str, scale: ScoreScale, *, has_second: bool
) -> dict[str, Any]:
    """Return the configuration of rsmeval; the file of predictions lies beside it."""
    name = export.run.resolve().name
    experiment = {
        "experiment_id": re.sub(r"[^A-Za-z0-9_-]", "_", name)[:200],
        "description": f"Out-of-fold predictions of {name}, {export.system}",
        "predictions_file": file,
        "id_column": COLUMNS[0],
        "human_score_column": COLUMNS[1],
        "system_score_column": COLUMNS[3],
        "trim_min": scale.low,
        "trim_max": scale.high,
        # Zero may be a score; by default rsmeval takes it for a response that was not scored.
        "exclude_zero_scores": False,
        "subgroups": [COLUMNS[4]],
    }
    return experiment | ({"second_human_score_column": COLUMNS[2]} if has_second else {})
