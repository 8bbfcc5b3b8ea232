"""Everything a run's predictions say about its agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from pydantic import Field

from essay_scoring.core.record import Record
from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import agreement, metrics, slices
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.bootstrap import percentiles, resample
from essay_scoring.statistics.counts import observed, sums_of, tabulate
from essay_scoring.statistics.figures import overall_figures, prompt_qwk
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.run_intervals import SLICES, run_figures
from essay_scoring.statistics.slices import (
    FOLD_METRICS,
    Band,
    FoldRow,
    PredictedBand,
    PromptRow,
    SmallPrompt,
)

_AT_ONCE = 200
"""Prompts whose essays are resampled together."""


class OverFolds(Record):
    """A figure over folds."""

    mean: float | None = Field(description="mean")
    std: float | None = Field(description="population standard deviation")
    n_folds: int = Field(description="folds in which it is defined")


class WorstPrompt(SmallPrompt):
    """A prompt and its agreement."""

    qwk: float = Field(description="quadratic weighted kappa, -1 to 1")


class Confusion(Record):
    """How often which score was predicted for which."""

    labels: list[float] = Field(description="all scores of the scale, ascending")
    counts: list[list[int]] = Field(description="essays; rows are the raters' scores")


class SummarySettings(Record):
    """What the summary was made with."""

    min_prompt_n: int = Field(description="essays that make a prompt large enough to judge")
    bottom_k: int = Field(description="how many of the worst prompts are listed")
    replicates: int = Field(description="resamples of the essays within each prompt")
    seed: int = Field(description="of all resamples")


class Summary(Record):
    """All that a run's predictions say about its agreement."""

    n: int = Field(description="essays")
    n_prompts: int = Field(description="prompts")
    unit: str = Field(description="what errors are measured in")
    settings: SummarySettings = Field(description="how it was made")
    overall: dict[str, Estimate] = Field(description="each figure over all essays")
    slices: dict[str, Estimate] = Field(
        description="mean QWK over folds, of the worst prompt and of the worst k; low and high are "
        "null where too few prompts carry an interval"
    )
    folds: list[FoldRow] = Field(description="by fold")
    mean_over_folds: dict[str, OverFolds] = Field(description="qwk, mae, rmse, exact, adjacent")
    prompts: list[PromptRow] = Field(description="large prompts")
    small_prompts: list[SmallPrompt] = Field(description="the others")
    worst_prompt: WorstPrompt | None = Field(description="the lowest QWK of a large prompt")
    bottom_k_prompts: list[WorstPrompt] = Field(description="the worst, ascending")
    bottom_k_mean: float | None = Field(description="mean QWK of those")
    bands: list[Band] = Field(description="by the raters' score")
    predicted_bands: list[PredictedBand] = Field(description="by predicted score")
    confusion: Confusion | None = Field(description="null where scales differ by prompt")
    mappings: dict[str, dict[str, float | None]] = Field(
        description="qwk and mae of final scores and of raw ones rounded to the nearest score"
    )


class CovariateCorrelation(Record):
    """How residuals go with a covariate."""

    covariate: str = Field(description="its name")
    n: int = Field(description="essays where it is known")
    residual: float | None = Field(description="Spearman's r with the residual")
    abs_residual: float | None = Field(description="Spearman's r with its absolute value")


def summarise(
    predictions: Predictions,
    *,
    min_prompt_n: int = 30,
    bottom_k: int = 5,
    replicates: int = 2000,
    seed: int = 20_000,
) -> Summary:
    """Return the figures of a run, each None where it has no meaning.

    `overall` and `slices` have 95% intervals with prompts as units (`run_intervals`), each prompt's
    QWK one of essays resampled within it. `mean_over_folds` has population standard deviations.
    """
    p = predictions
    folds = slices.by_fold(p)
    prompts, small = slices.by_prompt(p, min_prompt_n)
    lowest = sorted(
        (
            WorstPrompt(prompt=row.prompt, qwk=row.qwk, n=row.n)
            for row in prompts
            if row.qwk is not None
        ),
        key=lambda row: (row.qwk, row.prompt),
    )[:bottom_k]
    figures = run_figures(p, min_prompt_n=min_prompt_n, bottom_k=bottom_k, seed=seed)
    return Summary(
        n=len(p),
        n_prompts=len(prompts) + len(small),
        unit=agreement.unit(p),
        settings=SummarySettings(
            min_prompt_n=min_prompt_n, bottom_k=bottom_k, replicates=replicates, seed=seed
        ),
        overall={name: figures[name] for name in agreement.METRICS},
        slices={name: figures[name] for name in SLICES},
        folds=folds,
        mean_over_folds={name: _over_folds(folds, name) for name in FOLD_METRICS},
        prompts=_prompt_intervals(p, prompts, replicates, seed),
        small_prompts=small,
        worst_prompt=lowest[0] if lowest else None,
        bottom_k_prompts=lowest,
        bottom_k_mean=float(np.mean([row.qwk for row in lowest])) if lowest else None,
        bands=slices.by_band(p),
        predicted_bands=slices.by_predicted_band(p),
        confusion=_confusion(p),
        mappings=mapping_figures(p),
    )


def mapping_figures(predictions: Predictions) -> dict[str, dict[str, float | None]]:
    """Return QWK and MAE of the final scores and of the raw ones rounded to the nearest score.

    Both always stand together: cut-points that raise one may cost the other.
    """
    p = predictions
    rounded = replace(p, final=p.scales.round(p.raw, p.prompts))
    tables = tabulate([p, rounded])
    figures = overall_figures(sums_of(tables, observed(tables)))
    return {
        mapping: {
            name: metrics.finite_or_none(float(figures[name][0, run])) for name in ("qwk", "mae")
        }
        for run, mapping in enumerate(("final", "round_half_band"))
    }


def covariates(
    predictions: Predictions, columns: Mapping[str, FloatArray]
) -> list[CovariateCorrelation]:
    """Return Spearman of each column (n,) with the residual and |residual|, over defined values.

    The residual is predicted minus true: a positive correlation means that more of the covariate
    comes with more generous scores.
    """
    true, final, _ = agreement.common_values(predictions)
    residual, rows = final - true, []
    for name, values in columns.items():
        known = np.isfinite(values)
        rows.append(
            CovariateCorrelation(
                covariate=name,
                n=int(known.sum()),
                residual=metrics.spearman(values[known], residual[known]),
                abs_residual=metrics.spearman(values[known], np.abs(residual[known])),
            )
        )
    return rows


def _prompt_intervals(
    predictions: Predictions, rows: list[PromptRow], replicates: int, seed: int
) -> list[PromptRow]:
    """Return the rows with low and high of QWK, of essays resampled within each prompt."""
    rows_of: dict[str, list[int]] = {row.prompt: [] for row in rows}
    for at, prompt in enumerate(predictions.prompts):
        if prompt in rows_of:
            rows_of[prompt].append(at)
    out = []
    # A prompt draws by itself: some at a time bound memory, and small prompts need no draws.
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        essays = [at for row in some for at in rows_of[row.prompt]]
        tables = tabulate([predictions.take(np.array(essays))])
        drawn = [
            prompt_qwk(sums_of(tables, draws))[:, 0]
            for draws in resample(tables, replicates, seed, "essays")
        ]
        ends = map(percentiles, np.concatenate([*drawn, np.empty((0, len(some)))]).T)
        of_prompt = dict(zip(tables.layout.prompts, ends, strict=True))
        for row in some:
            low, high = of_prompt[row.prompt]
            out.append(row.model_copy(update={"low": low, "high": high}))
    return out


def _over_folds(folds: list[FoldRow], name: str) -> OverFolds:
    """Return mean, population standard deviation and number of the folds that have a figure."""
    values = [value for row in folds if (value := getattr(row, name)) is not None]
    if not values:
        return OverFolds(mean=None, std=None, n_folds=0)
    return OverFolds(mean=float(np.mean(values)), std=float(np.std(values)), n_folds=len(values))


def _confusion(predictions: Predictions) -> Confusion | None:
    """Return how often which score was predicted, None where scales differ by prompt."""
    scale = predictions.scales.shared
    if scale is None:
        return None
    true, final = scale.index(predictions.true), scale.index(predictions.final)
    counts = metrics.confusion(true, final, scale.n_labels)
    return Confusion(labels=scale.labels.tolist(), counts=counts.tolist())
