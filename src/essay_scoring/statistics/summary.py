"""Everything a run's predictions say about its agreement, in one JSON-able dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import agreement, metrics
from essay_scoring.statistics.bootstrap import (
    effective_prompts,
    figure_weights,
    interval,
    resample,
)
from essay_scoring.statistics.counts import sums_of, tabulate
from essay_scoring.statistics.figures import overall_figures, prompt_qwk, rank_figures
from essay_scoring.statistics.predictions import Predictions

Row = agreement.Row
RAW_REPLICATES = 500
"""Raw predictions rarely tie, so their resamples cost as much as there are essays: fewer do."""

FOLD_METRICS = ("qwk", "mae", "rmse", "exact", "adjacent")


def summarise(
    predictions: Predictions,
    *,
    min_prompt_n: int = 30,
    bottom_k: int = 5,
    replicates: int = 2000,
    seed: int = 20_000,
) -> dict[str, Any]:
    """Return the figures of a run, each None where it has no meaning.

    `overall` figures have 95% intervals of the two-level bootstrap, each prompt's QWK one of
    essays resampled within it. `mean_over_folds` has population standard deviations.
    """
    p = predictions
    folds = agreement.by_fold(p)
    prompts, small = agreement.by_prompt(p, min_prompt_n)
    with_intervals = _prompt_intervals(p, prompts, replicates, seed)
    lowest = sorted(
        (row for row in prompts if row["qwk"] is not None),
        key=lambda row: (row["qwk"], row["prompt"]),
    )[:bottom_k]
    lowest = [{key: row[key] for key in ("prompt", "qwk", "n")} for row in lowest]
    return {
        "n": len(p),
        "n_prompts": len(prompts) + len(small),
        "unit": agreement.unit(p),
        "settings": {
            "min_prompt_n": min_prompt_n,
            "bottom_k": bottom_k,
            "replicates": replicates,
            "seed": seed,
        },
        "overall": _overall(p, replicates, seed),
        "folds": folds,
        "mean_over_folds": {name: _over_folds(folds, name) for name in FOLD_METRICS},
        "prompts": with_intervals,
        "small_prompts": small,
        "worst_prompt": lowest[0] if lowest else None,
        "bottom_k_prompts": lowest,
        "bottom_k_mean": float(np.mean([row["qwk"] for row in lowest])) if lowest else None,
        "bands": agreement.by_band(p),
        "predicted_bands": agreement.by_predicted_band(p),
        "confusion": _confusion(p),
        "mappings": mapping_figures(p),
    }


def mapping_figures(predictions: Predictions) -> dict[str, dict[str, float | None]]:
    """Return QWK and MAE of the final scores and of the raw ones rounded to the nearest score.

    Both always stand together: cut-points that raise one may cost the other.
    """
    p = predictions
    true, final, _ = agreement.common_values(p)
    rounded = p.scales.round(p.raw, p.prompts)
    _, common, _ = agreement.common_values(
        Predictions(p.ids, p.prompts, p.folds, p.true, p.raw, rounded, p.scales)
    )
    return {
        "final": {
            "qwk": agreement.kappa(p),
            "mae": metrics.mean_absolute_error(true, final),
        },
        "round_half_band": {
            "qwk": agreement.kappa(p, rounded),
            "mae": metrics.mean_absolute_error(true, common),
        },
    }


def covariates(predictions: Predictions, columns: Mapping[str, FloatArray]) -> list[Row]:
    """Return Spearman of each column (n,) with the residual and |residual|, over defined values.

    The residual is predicted minus true: a positive correlation means that more of the covariate
    comes with more generous scores.
    """
    true, final, _ = agreement.common_values(predictions)
    residual, rows = final - true, []
    for name, values in columns.items():
        known = np.isfinite(values)
        rows.append(
            {
                "covariate": name,
                "n": int(known.sum()),
                "residual": metrics.spearman(values[known], residual[known]),
                "abs_residual": metrics.spearman(values[known], np.abs(residual[known])),
            }
        )
    return rows


def _overall(predictions: Predictions, replicates: int, seed: int) -> dict[str, Row]:
    """Return estimate, low, high and n of every overall figure."""
    tables, with_raw = tabulate([predictions]), tabulate([predictions], with_raw=True)
    blocks = [
        {name: values[:, 0] for name, values in overall_figures(sums_of(tables, draws)).items()}
        | rank_figures(tables, draws)
        for draws in resample(tables, replicates, seed, "prompts")
    ]
    raw_blocks = [
        rank_figures(with_raw, draws)
        for draws in resample(with_raw, min(replicates, RAW_REPLICATES), seed, "prompts")
    ]
    rows, held = {}, figure_weights(tables)
    for name, figure in agreement.overall(predictions).items():
        drawn = [block[name] for block in (raw_blocks if name.endswith("_raw") else blocks)]
        units = effective_prompts(tables.layout, held.get(name, held["all"]))
        low, high = interval(np.concatenate([*drawn, np.empty(0)]), units)
        rows[name] = {"estimate": figure.value, "low": low, "high": high, "n": figure.n}
    return rows


def _prompt_intervals(
    predictions: Predictions, rows: list[Row], replicates: int, seed: int
) -> list[Row]:
    """Return the rows with low and high of QWK, of essays resampled within each prompt."""
    tables = tabulate([predictions])
    blocks = [
        prompt_qwk(sums_of(tables, draws))[:, 0]
        for draws in resample(tables, replicates, seed, "essays")
    ]
    n_prompts = len(tables.layout.prompts)
    drawn = np.concatenate([*blocks, np.empty((0, n_prompts))])
    place = {prompt: at for at, prompt in enumerate(tables.layout.prompts)}
    out = []
    for row in rows:
        low, high = interval(drawn[:, place[row["prompt"]]], row["n"])
        out.append({"prompt": row["prompt"], "n": row["n"], "qwk": row["qwk"]})
        out[-1] |= {"low": low, "high": high} | row
    return out


def _over_folds(folds: list[Row], name: str) -> Row:
    """Return mean, population standard deviation and number of the folds that have a figure."""
    values = [row[name] for row in folds if row[name] is not None]
    if not values:
        return {"mean": None, "std": None, "n_folds": 0}
    return {"mean": float(np.mean(values)), "std": float(np.std(values)), "n_folds": len(values)}


def _confusion(predictions: Predictions) -> Row | None:
    """Return labels and counts (rows are true labels), None where scales differ by prompt."""
    scale = predictions.scales.shared
    if scale is None:
        return None
    true, final = scale.index(predictions.true), scale.index(predictions.final)
    counts = metrics.confusion(true, final, scale.n_labels)
    return {"labels": scale.labels.tolist(), "counts": counts.tolist()}
