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
from essay_scoring.statistics import metrics
from essay_scoring.statistics.counts import exactly_tied
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


class Estimate(Record):
    """A figure with its 95% interval (two-level bootstrap) and its n; null where undefined."""

    estimate: float | None = Field(description="its value")
    low: float | None = Field(description="lower end of the interval")
    high: float | None = Field(description="upper end of the interval")
    n: int = Field(ge=0, description="essays")


def common_values(predictions: Predictions) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return true, final and raw in one unit, each (n,): score points, or 0 to TRAINING_WIDTH."""
    p = predictions
    if p.scales.shared is not None:
        return p.true, p.final, p.raw
    true, final, raw = (p.scales.to_training(v, p.prompts) for v in (p.true, p.final, p.raw))
    return exactly_tied(true), exactly_tied(final), raw


def unit(predictions: Predictions) -> str:
    """Return what MAE, RMSE and mean residuals over several prompts are measured in."""
    if predictions.scales.shared is not None:
        return "score points"
    return f"points of a common scale from 0 to {TRAINING_WIDTH:g}"


def step_errors(predictions: Predictions) -> FloatArray:
    """Return final minus true in steps of each essay's own scale, shape (n,)."""
    p, out = predictions, np.empty(len(predictions))
    for scale, rows in p.scales.for_prompts(p.prompts).items():
        out[rows] = scale.index(p.final[rows]) - scale.index(p.true[rows])
    return out


def kappa(predictions: Predictions, scores: FloatArray | None = None) -> float | None:
    """Return QWK of `scores` (final ones by default), each scale on its full label list.

    Over several scales: their mean weighted by essays, scales without a defined QWK left out.
    """
    p, scores = predictions, predictions.final if scores is None else scores
    total, weight = 0.0, 0
    for scale, rows in p.scales.for_prompts(p.prompts).items():
        value = metrics.qwk(scale.index(p.true[rows]), scale.index(scores[rows]), scale.n_labels)
        if value is not None:
            total, weight = total + value * len(rows), weight + len(rows)
    return total / weight if weight else None


def overall(predictions: Predictions) -> dict[str, Estimate]:
    """Return every figure of METRICS, without intervals; an empty slice gives None, never 0."""
    true, final, raw = common_values(predictions)
    steps, n = step_errors(predictions), len(predictions)
    low, high = predictions.scales.tails(predictions.true, predictions.prompts)
    values = {
        **core_figures(predictions),
        "pearson": metrics.pearson(true, final),
        "spearman": metrics.spearman(true, final),
        "pearson_raw": metrics.pearson(true, raw),
        "spearman_raw": metrics.spearman(true, raw),
        "smd": metrics.standardised_mean_difference(true, final),
    }
    tails = {f"{name}_tail_adjacent": at for name, at in (("low", low), ("high", high))}
    values |= {name: metrics.share_within(steps[at], 1) for name, at in tails.items()}
    sizes = {name: int(at.sum()) for name, at in tails.items()}
    return {
        name: Estimate(estimate=value, low=None, high=None, n=sizes.get(name, n))
        for name, value in values.items()
    }


def core_figures(predictions: Predictions) -> dict[str, float | None]:
    """Return the figures that every slice of several prompts has."""
    true, final, _ = common_values(predictions)
    steps = step_errors(predictions)
    return {
        "qwk": kappa(predictions),
        "mae": metrics.mean_absolute_error(true, final),
        "rmse": metrics.root_mean_squared_error(true, final),
        "exact": metrics.share_within(steps, 0),
        "adjacent": metrics.share_within(steps, 1),
    }
