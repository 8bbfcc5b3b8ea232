"""Made run folders to report on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.files import write_json
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.residuals import write_residuals
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import covariates, summarise
from tests.records.made import FIT
from tests.statistics.made import made_predictions, rescored

HOSTILE = (
    "<script>top.ran=1</script>",
    '"><img src=x onerror="top.ran=1">',
    '=HYPERLINK("http://x","y")',
    "quotes \" and ' and & and | bars",
    "W" * 160,
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd",
    "two\nlines # *stars* `ticks` [link](http://x)",
)


_CUT = {"name": "qwk_cutpoints_lfo", "cutpoints": {"0": [1.2, 1.8], "1": []}}


def with_hostile_prompts(predictions: Predictions) -> Predictions:
    """Return the predictions with the first prompts renamed."""
    names = dict(zip(sorted(set(predictions.prompts)), HOSTILE, strict=False))
    return replace(predictions, prompts=tuple(names.get(p, p) for p in predictions.prompts))


def curves(seed: int) -> dict[str, list[float]]:
    """Return losses that fall, the dev one until round 120."""
    rng, rounds = np.random.default_rng(seed), np.arange(220)
    train = 0.3 + 0.9 * np.exp(-rounds / 40) + 0.004 * rng.normal(size=220)
    return {"train": train.tolist(), "dev": (train + 0.05 + ((rounds - 120) / 600) ** 2).tolist()}


def summary_json(predictions: Predictions) -> dict[str, Any]:
    """Return the figures of predictions as a file holds them."""
    return summarise(predictions, min_prompt_n=20, replicates=60).model_dump(mode="json")


def write_made_run(
    folder: Path, predictions: Predictions, *, columns: dict[str, FloatArray] | None = None
) -> dict[str, Any]:
    """Write the artifacts of a run and return its metrics."""
    artifacts, measured = folder / "artifacts", {} if columns is None else columns
    metrics = made_metrics(predictions, folder.name, measured)
    write_residuals(artifacts, predictions, "prompt_holdout", measured)
    write_json(artifacts / "cv_metrics.json", metrics)
    return metrics


def made_metrics(
    p: Predictions, folder: str, columns: Mapping[str, FloatArray] | None = None
) -> dict[str, Any]:
    """Return the metrics of a run with baselines and fits as a file holds them."""
    other = rescored(p, seed=4, noise=0.9)
    return {
        "schema": 2,
        "run": {"name": "made", "folder": folder, "scheme": "prompt_holdout"},
        "family": "xgboost",
        "hyperparameters": {"max_depth": 3},
        "config": {"name": "made", "seed": 42},
        "data": {
            "kind": "synthetic",
            "data_sha256": "a" * 64,
            "splits_sha256": None,
            "predictions_sha256": "c" * 64,
            "n": len(p),
            "n_prompts": len(set(p.prompts)),
        },
        "scales": p.scales.model_dump(mode="json"),
        "transductive": False,
        "code_revision": "b" * 64,
        "versions": {"python": "3.11", "numpy": "2.4"},
        "mapping": _CUT if p.scales.shared else {"name": "round_half_band", "cutpoints": {}},
        "summary": summary_json(p),
        "covariates": [row.model_dump(mode="json") for row in covariates(p, columns or {})],
        "baselines": {"mean": summary_json(other), "ridge": summary_json(other)},
        "fits": [
            {**FIT, "fold": fold, "rounds": 120 + fold, "curve": curves(fold)} for fold in range(5)
        ],
    }


def hostile_run(folder: Path) -> dict[str, Any]:
    """Write a run of 900 essays in 14 prompts, the first with hostile names."""
    predictions = with_hostile_prompts(made_predictions(900, n_prompts=14, n_folds=5))
    words = np.random.default_rng(3).integers(200, 1000, len(predictions)).astype(np.float64)
    return write_made_run(folder, predictions, columns={"word_count": words})
