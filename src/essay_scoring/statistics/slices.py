"""Agreement of one run's predictions by fold, prompt and score band."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from essay_scoring.core.record import Record, Share
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics import counts as c
from essay_scoring.statistics.agreement import common_values, step_errors
from essay_scoring.statistics.counts import Mask, observed, sums_of, tabulate
from essay_scoring.statistics.figures import group_figures, prompt_qwk
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

FOLD_METRICS = ("qwk", "mae", "rmse", "exact", "adjacent")


class FoldRow(Record):
    """The figures of one fold."""

    fold: int = Field(ge=0, description="its number")
    n: int = Field(description="essays held out")
    qwk: float | None = Field(description="quadratic weighted kappa, -1 to 1")
    mae: float | None = Field(description="mean absolute error, in `unit`")
    rmse: float | None = Field(description="root mean squared error, in `unit`")
    exact: Share | None = Field(description="share of scores equal to the rater's")
    adjacent: Share | None = Field(description="share at most one step of the scale off")


class PromptRow(Record):
    """The figures of one prompt with at least `min_prompt_n` essays."""

    prompt: str = Field(description="its name")
    n: int = Field(description="essays")
    qwk: float | None = Field(description="quadratic weighted kappa, -1 to 1")
    low: float | None = Field(description="lower end of its 95% interval, by resampling essays")
    high: float | None = Field(description="upper end")
    mae: float = Field(description="mean absolute error, score points")
    mean_residual: float = Field(description="mean of predicted minus true, score points")
    adjacent: Share = Field(description="share at most one step off")


class SmallPrompt(Record):
    """A prompt with fewer essays than `min_prompt_n`."""

    prompt: str = Field(description="its name")
    n: int = Field(description="essays")


class Band(Record):
    """The essays that raters gave one score."""

    band: str = Field(description="the score")
    n: int = Field(description="essays")
    mae: float | None = Field(description="mean absolute error, in `unit`")
    mean_residual: float | None = Field(description="mean of predicted minus true, in `unit`")
    adjacent: Share | None = Field(description="share at most one step off")


class PredictedBand(Record):
    """The essays that were predicted one score."""

    band: str = Field(description="the score")
    n: int = Field(description="essays")
    mean_true: float | None = Field(description="mean score by raters, in `unit`")
    mean_final: float | None = Field(description="mean predicted score, in `unit`")
    mean_raw: float | None = Field(description="mean prediction before mapping, in `unit`")


def by_fold(predictions: Predictions) -> list[FoldRow]:
    """Return the figures of each fold, in order."""
    tables = tabulate([predictions])
    groups = sums_of(tables, observed(tables)).groups[0]
    figures = group_figures(groups, tables.layout.widths)
    return [
        FoldRow(
            fold=int(fold),
            n=int(groups[at, ..., c.N].sum()),
            **{name: finite_or_none(float(figures[name][at, 0])) for name in FOLD_METRICS},
        )
        for at, fold in enumerate(tables.layout.folds)
    ]


def by_prompt(
    predictions: Predictions, min_prompt_n: int
) -> tuple[list[PromptRow], list[SmallPrompt]]:
    """Return the figures of the prompts of at least `min_prompt_n` essays, and the other prompts.

    Errors are in points of each prompt's own scale; there are no intervals. On a small prompt a
    figure would be noise.
    """
    tables = tabulate([predictions])
    sums = sums_of(tables, observed(tables))
    kappa = prompt_qwk(sums)[0, 0]
    large: list[PromptRow] = []
    small: list[SmallPrompt] = []
    for at, (prompt, n) in enumerate(zip(sums.layout.prompts, sums.layout.sizes, strict=True)):
        if n < min_prompt_n:
            small.append(SmallPrompt(prompt=prompt, n=int(n)))
            continue
        mean = sums.prompts[0, at, 0] / n
        step = predictions.scales.of(prompt).step
        row = PromptRow(
            prompt=prompt,
            n=int(n),
            qwk=finite_or_none(float(kappa[at])),
            low=None,
            high=None,
            mae=float(mean[c.ABSOLUTE]) * step,
            mean_residual=float(mean[c.FINAL] - mean[c.TRUE]) * step,
            adjacent=float(mean[c.ADJACENT]),
        )
        large.append(row)
    return large, small


def by_band(predictions: Predictions) -> list[Band]:
    """Return the errors of every band of true scores; without figures where no essay is in it."""
    true, final, _ = common_values(predictions)
    steps = step_errors(predictions)
    return [
        Band(
            band=name,
            n=int(at.sum()),
            mae=_mean(np.abs(final[at] - true[at])),
            mean_residual=_mean(final[at] - true[at]),
            adjacent=_mean(np.abs(steps[at]) <= 1 + 1e-9),
        )
        for name, at in _each_band(predictions, predictions.true)
    ]


def by_predicted_band(predictions: Predictions) -> list[PredictedBand]:
    """Return n and mean true, final and raw score of every band of *final* scores."""
    true, final, raw = common_values(predictions)
    return [
        PredictedBand(
            band=name,
            n=int(at.sum()),
            mean_true=_mean(true[at]),
            mean_final=_mean(final[at]),
            mean_raw=_mean(raw[at]),
        )
        for name, at in _each_band(predictions, predictions.final)
    ]


def constant_prompts(predictions: Predictions, min_prompt_n: int = 2) -> list[str]:
    """Return the prompts of so many essays or more that raters gave one score throughout."""
    return [
        prompt
        for prompt, rows in rows_by_prompt(predictions.prompts).items()
        if len(rows) >= min_prompt_n and len(np.unique(predictions.true[rows])) == 1
    ]


def rows_by_prompt(prompts: tuple[str, ...]) -> dict[str, IntArray]:
    """Return the positions of each prompt's essays, prompts in order of name."""
    rows: dict[str, list[int]] = {}
    for position, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(position)
    return {prompt: np.asarray(rows[prompt], dtype=np.int64) for prompt in sorted(rows)}


def _each_band(predictions: Predictions, scores: FloatArray) -> list[tuple[str, Mask]]:
    """Return the name of every band with the mask (n,) of the scores in it."""
    shared = predictions.scales.shared
    band = predictions.scales.bands(scores, predictions.prompts)
    names = [f"{low}-{low + 20}% of the scale" for low in range(0, 100, 20)]
    if shared is not None and shared.n_labels <= 13:
        names = [f"{label:g}" for label in shared.labels]
    return [(name, band == position) for position, name in enumerate(names)]


def _mean(values: FloatArray | Mask) -> float | None:
    """Return the mean, None of nothing."""
    return float(values.mean()) if len(values) else None
