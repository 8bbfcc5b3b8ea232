"""Time the paired bootstrap beside a plain Python loop and `scipy.stats.bootstrap`.

Run as `python benchmarks/compare.py`. The loop and scipy run fewer replicates and are scaled up;
scipy resamples essays alone and computes one figure, the pooled QWK delta, so it has less to do.
The last column is one mixed model of absolute error on arm, its first import of statsmodels apart.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from record import record
from scipy.stats import bootstrap

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.statistics.comparison import DELTAS, compare
from essay_scoring.statistics.metrics import confusion, qwk_of_counts
from essay_scoring.statistics.mixed_model import arm_effect
from essay_scoring.statistics.predictions import Predictions

SCALE = ScoreScale(low=1, high=5, step=0.5)
SCALES = ScoreScales(shared=SCALE)
K = SCALE.n_labels


def made(n: int, n_prompts: int, nested: bool) -> tuple[Predictions, Predictions]:
    """Return two scorers' predictions of the same made essays."""
    rng = np.random.default_rng(0)
    prompt = rng.integers(0, n_prompts, n)
    prompts = tuple(f"p{number:02d}" for number in prompt)
    ids = tuple(map(str, range(n)))
    ability = 3 + 0.6 * rng.normal(size=n)
    folds = prompt % 5 if nested else rng.integers(0, 5, n)
    runs = []
    for _ in range(2):
        raw = ability + 0.4 * rng.normal(size=n)
        final = SCALE.round(raw)
        runs.append(Predictions(ids, prompts, folds, SCALE.round(ability), raw, final, SCALES))
    return runs[0], runs[1]


def kappa_variance(true: IntArray, final: IntArray, kappa: float) -> float:
    """Return the asymptotic variance of one prompt's QWK, computed anew from its essays."""
    squares, means = true**2 + final**2, (true.mean(), final.mean())
    pull = 2 * (1 - kappa) * (true * means[1] + final * means[0])
    moved = 2 * true * final - kappa * squares - pull
    return float(moved.var() / len(true) / (squares.mean() - 2 * means[0] * means[1]) ** 2)


def shrunken_worst(kappas: FloatArray, variances: FloatArray) -> float:
    """Return the lowest empirical-Bayes estimate."""
    between = max(kappas.var(ddof=1) - variances.mean(), 1e-12)
    kept = between / (between + variances)
    return float((kappas.mean() + kept * (kappas - kappas.mean())).min())


def figures_of(run: Predictions, at: IntArray) -> list[float]:
    """Return the figures of DELTAS of drawn essays, computed anew from the essays."""
    true, final = SCALE.index(run.true[at]), SCALE.index(run.final[at])
    folds, prompts = run.folds[at], np.asarray(run.prompts, dtype=object)[at]
    error = (final - true) * SCALE.step

    def kappa(of: Any) -> float:
        return float(qwk_of_counts(confusion(true[of], final[of], K)))

    large = [rows for p in set(prompts) if (rows := prompts == p).sum() >= 30]
    by_prompt = np.array([kappa(rows) for rows in large])
    variances = [
        kappa_variance(true[rows], final[rows], k) for rows, k in zip(large, by_prompt, strict=True)
    ]
    near = np.abs(error) <= 0.5
    figures = {
        "mean_qwk": np.mean([kappa(folds == fold) for fold in np.unique(folds)]),
        "pooled_qwk": kappa(slice(None)),
        "worst_prompt_qwk": by_prompt.min(),
        "bottom_k_mean": np.sort(by_prompt)[:5].mean(),
        "shrunken_worst_qwk": shrunken_worst(by_prompt, np.array(variances)),
        "low_tail_adjacent": near[run.true[at] <= 2].mean(),
        "high_tail_adjacent": near[run.true[at] >= 4].mean(),
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "smd": (final - true).mean() / np.sqrt((true.var(ddof=1) + final.var(ddof=1)) / 2),
    }
    return [float(figures[name]) for name in DELTAS]


def plain_loop(reference: Predictions, candidate: Predictions, replicates: int) -> FloatArray:
    """Return deltas (R, figures): prompts, then essays within them, one replicate at a time."""
    rng = np.random.default_rng(1)
    names = np.asarray(reference.prompts, dtype=object)
    rows = {name: np.flatnonzero(names == name) for name in set(reference.prompts)}
    out = []
    for _ in range(replicates):
        drawn = rng.choice(sorted(rows), len(rows))
        at = np.concatenate([rng.choice(rows[name], len(rows[name])) for name in drawn])
        pair = [figures_of(run, at) for run in (reference, candidate)]
        out.append(np.subtract(pair[1], pair[0]))
    return np.array(out)


def by_scipy(reference: Predictions, candidate: Predictions, replicates: int) -> None:
    """Bootstrap the pooled QWK delta over essays with scipy."""
    columns = [SCALE.index(v) for v in (reference.true, reference.final, candidate.final)]

    def delta(true: IntArray, first: IntArray, second: IntArray) -> float:
        pair = [qwk_of_counts(confusion(true, final, K)) for final in (first, second)]
        return float(pair[1] - pair[0])

    bootstrap(
        columns,
        delta,
        paired=True,
        vectorized=False,
        n_resamples=replicates,
        method="percentile",
        rng=np.random.default_rng(0),
    )


def seconds(work: Any, *arguments: Any) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def main() -> None:
    columns = ("essays", "prompts", "replicates", "here", "loop", "scipy", "mixed model")
    print("".join(f"{name:>13}" for name in columns))
    print(" " * 39 + "".join(f"{k:>5} figures" for k in (len(DELTAS),) * 2) + "     1 figure")
    arm_effect(*made(200, 4, nested=True))
    for n, n_prompts, nested in ((1511, 32, True), (17307, 7, False)):
        pair, replicates = made(n, n_prompts, nested), 10_000
        here = seconds(lambda p=pair, r=replicates: compare(*p, replicates=r))
        few = 20
        loop = seconds(plain_loop, *pair, few) / few * replicates
        scipy = seconds(by_scipy, *pair, 10 * few) / (10 * few) * replicates
        mixed = seconds(arm_effect, *pair)
        times = "".join(f"{took:>12.2f}s" for took in (here, loop, scipy, mixed))
        for way, took in (("here", here), ("loop", loop), ("scipy", scipy), ("mixed model", mixed)):
            record(f"{way}, {n} essays", seconds=round(took, 3))
        print(f"{n:>13}{n_prompts:>13}{replicates:>13}{times}")


if __name__ == "__main__":
    main()
