"""What was predicted for which score, prompt by prompt, and agreement scale by scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from essay_scoring.core.scale import IntArray, ScoreScale
from essay_scoring.reports.table_cells import Column, ReportTable
from essay_scoring.statistics.agreement import overall
from essay_scoring.statistics.intervals import wilson
from essay_scoring.statistics.metrics import confusion
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.slices import rows_by_prompt
from essay_scoring.statistics.summary import Confusion

MOST_LABELS = 13
"""Of a longer scale a prompt's matrix has only the scores that were given."""

STEP_CAPTION = (
    "Agreement on each score scale. One step is worth more on a short scale than on a long one, so "
    "shares within one step are told apart; intervals are of essays"
)


@dataclass(frozen=True)
class PromptMatrix:
    """How often which score was predicted for which, on one prompt."""

    prompt: str
    n: int
    confusion: Confusion


def prompt_matrices(predictions: Predictions, min_prompt_n: int) -> list[PromptMatrix]:
    """Return the matrix of each prompt of so many essays, in order of name."""
    return [
        PromptMatrix(prompt, len(rows), _matrix(predictions, rows, predictions.scales.of(prompt)))
        for prompt, rows in rows_by_prompt(predictions.prompts).items()
        if len(rows) >= min_prompt_n
    ]


def _matrix(predictions: Predictions, rows: IntArray, scale: ScoreScale) -> Confusion:
    """Return the matrix of some essays of one scale."""
    true, final = (scale.index(values[rows]) for values in (predictions.true, predictions.final))
    counts = confusion(true, final, scale.n_labels)
    kept = np.arange(scale.n_labels)
    if scale.n_labels > MOST_LABELS:
        kept = np.union1d(true, final)
    return Confusion(labels=scale.labels[kept].tolist(), counts=counts[np.ix_(kept, kept)].tolist())


def scales_table(predictions: Predictions) -> ReportTable | None:
    """Return agreement on each score scale; None where all prompts share one."""
    if predictions.scales.shared is not None:
        return None
    columns = (
        Column("scale", "text"),
        Column("prompts", "count"),
        Column("essays", "count"),
        Column("QWK"),
        Column("exact [95%]", "interval"),
        Column("within one step [95%]", "interval"),
        Column("a step is, of the scale"),
    )
    rows = []
    for scale, at in predictions.scales.for_prompts(predictions.prompts).items():
        part = predictions.take(at)
        found, n = overall(part), len(part)
        shares = [found[name].estimate or 0.0 for name in ("exact", "adjacent")]
        cells = [(value, *wilson(value, n)) for value in shares]
        step = scale.step / (scale.high - scale.low)
        rows.append([scale.span, len(set(part.prompts)), n, found["qwk"].estimate, *cells, step])
    return ReportTable("scales", STEP_CAPTION, columns, rows)
