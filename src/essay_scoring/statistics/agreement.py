"""Agreement of one run's predictions, over all essays and by fold, prompt and score band.

Kappa always lives on one scale: over essays of several scales it is the mean of each scale's kappa
weighted by its essays. Exact and adjacent count steps of the own scale. Everything else is in the
unit of `common_values`: score points where one scale is shared, the common scale from 0 to 4 where
each prompt has its own. A residual is predicted minus true: above zero is too generous.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray, IntArray
from essay_scoring.statistics import metrics
from essay_scoring.statistics.counts import Mask, exactly_tied
from essay_scoring.statistics.predictions import Predictions

Row = dict[str, Any]

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


@dataclass(frozen=True)
class Figure:
    """A figure and the number of essays it rests on; None where it has no meaning."""

    value: float | None
    n: int


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


def overall(predictions: Predictions) -> dict[str, Figure]:
    """Return every figure of METRICS with its n; an empty slice gives None, never 0."""
    true, final, raw = common_values(predictions)
    steps, n = step_errors(predictions), len(predictions)
    low, high = predictions.scales.tails(predictions.true, predictions.prompts)
    values = {
        **_core_figures(predictions),
        "pearson": metrics.pearson(true, final),
        "spearman": metrics.spearman(true, final),
        "pearson_raw": metrics.pearson(true, raw),
        "spearman_raw": metrics.spearman(true, raw),
        "smd": metrics.standardised_mean_difference(true, final),
    }
    tails = {
        "low_tail_adjacent": Figure(metrics.share_within(steps[low], 1), int(low.sum())),
        "high_tail_adjacent": Figure(metrics.share_within(steps[high], 1), int(high.sum())),
    }
    return {name: Figure(value, n) for name, value in values.items()} | tails


def by_fold(predictions: Predictions) -> list[Row]:
    """Return fold, n, QWK, MAE, RMSE, exact and adjacent of each fold, in order."""
    rows = []
    for fold in np.unique(predictions.folds):
        part = predictions.take(np.flatnonzero(predictions.folds == fold))
        rows.append({"fold": int(fold), "n": len(part), **_core_figures(part)})
    return rows


def by_prompt(predictions: Predictions, min_prompt_n: int) -> tuple[list[Row], list[Row]]:
    """Return prompt, n, QWK, MAE, mean residual and adjacent of prompts, and the smaller ones.

    The first list has the prompts of at least `min_prompt_n` essays, in points of their own scale;
    the second has prompt and n alone of the others, on which a figure would be noise.
    """
    large: list[Row] = []
    small: list[Row] = []
    for prompt, at in rows_by_prompt(predictions.prompts).items():
        if len(at) < min_prompt_n:
            small.append({"prompt": prompt, "n": len(at)})
            continue
        part = predictions.take(at)
        residual = part.final - part.true
        large.append(
            {
                "prompt": prompt,
                "n": len(at),
                "qwk": kappa(part),
                "mae": float(np.abs(residual).mean()),
                "mean_residual": float(residual.mean()),
                "adjacent": metrics.share_within(step_errors(part), 1),
            }
        )
    return large, small


def by_band(predictions: Predictions) -> list[Row]:
    """Return band, n, MAE, mean residual and adjacent for every band of true scores.

    Bands that no essay is in stay in the list, with n = 0 and no figures.
    """
    p = predictions
    true, final, _ = common_values(p)
    names, band = bands_of(p, p.true)
    steps = step_errors(p)
    return [
        {
            "band": name,
            "n": int(at.sum()),
            "mae": metrics.mean_absolute_error(true[at], final[at]),
            "mean_residual": _mean(final[at] - true[at]),
            "adjacent": metrics.share_within(steps[at], 1),
        }
        for name, at in _each(names, band)
    ]


def by_predicted_band(predictions: Predictions) -> list[Row]:
    """Return band, n and mean true, final and raw score for every band of *final* scores."""
    columns = dict(zip(("true", "final", "raw"), common_values(predictions), strict=True))
    names, band = bands_of(predictions, predictions.final)
    return [
        {"band": name, "n": int(at.sum())}
        | {f"mean_{what}": _mean(values[at]) for what, values in columns.items()}
        for name, at in _each(names, band)
    ]


def rows_by_prompt(prompts: tuple[str, ...]) -> dict[str, IntArray]:
    """Return the positions of each prompt's essays, prompts in order of name."""
    rows: dict[str, list[int]] = {}
    for position, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(position)
    return {prompt: np.asarray(rows[prompt], dtype=np.int64) for prompt in sorted(rows)}


def bands_of(predictions: Predictions, scores: FloatArray) -> tuple[list[str], IntArray]:
    """Return the names of all bands and the band of each score, shape (n,)."""
    shared = predictions.scales.shared
    band = predictions.scales.bands(scores, predictions.prompts)
    if shared is not None and shared.n_labels <= 13:
        return [f"{label:g}" for label in shared.labels], band
    return [f"{low}-{low + 20}% of the scale" for low in range(0, 100, 20)], band


def _core_figures(predictions: Predictions) -> dict[str, float | None]:
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


def _each(names: list[str], band: IntArray) -> list[tuple[str, Mask]]:
    """Return every band's name with the mask of its essays."""
    return [(name, band == position) for position, name in enumerate(names)]


def _mean(values: FloatArray) -> float | None:
    """Return the mean, None of nothing."""
    return float(values.mean()) if len(values) else None
