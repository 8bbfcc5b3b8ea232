"""Figures of a run by other people's code and plain arithmetic, essay by essay."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import cohen_kappa_score

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.agreement import common_values, step_errors
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.predictions import Predictions


def kappa(run: Predictions) -> float:
    """Return scikit-learn's kappa on all labels; over several scales the mean by essays."""
    values, sizes = [], []
    for scale, rows in run.scales.for_prompts(run.prompts).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = cohen_kappa_score(
                scale.index(run.true[rows]),
                scale.index(run.final[rows]),
                labels=range(scale.n_labels),
                weights="quadratic",
            )
        if np.isfinite(value):
            values.append(value)
            sizes.append(len(rows))
    return float(np.average(values, weights=sizes))


def figures(run: Predictions) -> dict[str, float]:
    """Return every figure over all essays."""
    (true, final, raw), steps = common_values(run), np.abs(step_errors(run))
    low, high = run.scales.tails(run.true, run.prompts)
    return {
        "qwk": kappa(run),
        "mae": float(np.mean(np.abs(final - true))),
        "rmse": float(np.sqrt(np.mean((final - true) ** 2))),
        "exact": float(np.mean(steps == 0)),
        "adjacent": float(np.mean(steps <= 1)),
        "pearson": float(pearsonr(true, final).statistic),
        "spearman": float(spearmanr(true, final).statistic),
        "pearson_raw": float(pearsonr(true, raw).statistic),
        "spearman_raw": float(spearmanr(true, raw).statistic),
        "smd": pooled_smd(true, final),
        "low_tail_adjacent": float(np.mean(steps[low] <= 1)),
        "high_tail_adjacent": float(np.mean(steps[high] <= 1)),
    }


def smd(human: FloatArray, machine: FloatArray) -> float:
    """Return RSMTool's SMD, in deviations of the human scores."""
    return float((machine.mean() - human.mean()) / human.std(ddof=1))


def pooled_smd(human: FloatArray, machine: FloatArray) -> float:
    """Return the SMD in pooled deviations."""
    deviation = np.sqrt((human.var(ddof=1) + machine.var(ddof=1)) / 2)
    return float((machine.mean() - human.mean()) / deviation)


def dsm(human: FloatArray, machine: FloatArray, members: Mask) -> float:
    """Return RSMTool's DSM: the mean over members of z(machine) - z(human)."""
    machine_z, human_z = ((side - side.mean()) / side.std(ddof=1) for side in (machine, human))
    return float(np.mean((machine_z - human_z)[members]))
