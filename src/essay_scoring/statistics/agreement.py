"""Agreement of one run's predictions, over all essays.

Kappa always lives on one scale: over essays of several scales it is the mean of each scale's kappa
weighted by its essays. Exact and adjacent count steps of the own scale. Everything else is in the
unit of `common_values`: score points where one scale is shared, the common scale from 0 to 4 where
each prompt has its own. A residual is predicted minus true: above zero is too generous.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from essay_scoring.core.record import Record
from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray
from essay_scoring.statistics.counts import (
    Tables,
    exactly_tied,
    figure_weights,
    observed,
    sums_of,
    tabulate,
)
from essay_scoring.statistics.figures import overall_figures, rank_figures
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

METRICS = (
    "qwk",
    "mae",
    "rmse",
    "exact",
    "adjacent",
    "pearson",
    "spearman",
    "pearson_raw",
    "spearman_raw",
    "smd",
    "low_tail_adjacent",
    "high_tail_adjacent",
)
"""The figures over all essays; `_raw` correlates predictions before they were mapped to scores."""


ONE_SCALE = "score points"
"""The unit of errors where all prompts share a scale."""


class Estimate(Record):
    """A figure with its 95% interval (prompts as units) and its n; null where undefined."""

    estimate: float | None = Field(description="its value")
    low: float | None = Field(description="lower end of the interval")
    high: float | None = Field(description="upper end of the interval")
    n: int = Field(ge=0, description="essays")


def common_values(predictions: Predictions) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return true, final and raw in one unit, each (n,): score points, or 0 to TRAINING_WIDTH."""
    p = predictions
    true, final, raw = (p.in_common_unit(values) for values in (p.true, p.final, p.raw))
    return exactly_tied(true), exactly_tied(final), raw


def unit(predictions: Predictions) -> str:
    """Return what MAE, RMSE and mean residuals over several prompts are measured in."""
    if predictions.scales.shared is not None:
        return ONE_SCALE
    return f"points of a common scale from 0 to {TRAINING_WIDTH:g}"


def step_errors(predictions: Predictions) -> FloatArray:
    """Return final minus true in steps of each essay's own scale, shape (n,)."""
    p, out = predictions, np.empty(len(predictions))
    for scale, rows in p.scales.for_prompts(p.prompts).items():
        out[rows] = scale.index(p.final[rows]) - scale.index(p.true[rows])
    return out


def overall(predictions: Predictions) -> dict[str, Estimate]:
    """Return every figure of METRICS, without intervals; an empty slice gives None, never 0."""
    return overall_of(tabulate([predictions], with_raw=True))


def overall_of(tables: Tables) -> dict[str, Estimate]:
    """Return `overall` of a run that was tabulated with its raw predictions."""
    once = observed(tables)
    values = {name: row[:, 0] for name, row in overall_figures(sums_of(tables, once)).items()}
    values |= rank_figures(tables, once)
    held = figure_weights(tables)
    return {
        name: Estimate(
            estimate=finite_or_none(float(values[name][0])),
            low=None,
            high=None,
            n=int(held.get(name, held["all"]).sum()),
        )
        for name in METRICS
    }
