"""Time the paired bootstrap beside a plain Python loop and `scipy.stats.bootstrap`.

Run as `python benchmarks/compare.py`. The loop and scipy run fewer replicates and are scaled up;
scipy resamples essays alone and computes one figure, the pooled QWK delta, so it has less to do.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from essay_scoring.core.metrics import confusion, qwk_of_counts
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.evaluation.comparison import DELTAS, compare
from essay_scoring.evaluation.predictions import Predictions

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


def figures_of(run: Predictions, at: IntArray) -> list[float]:
    """Return the figures of DELTAS of drawn essays, computed anew from the essays."""
    true, final = SCALE.index(run.true[at]), SCALE.index(run.final[at])
    folds, prompts = run.folds[at], np.asarray(run.prompts, dtype=object)[at]
    error = (final - true) * SCALE.step

    def kappa(of: Any) -> float:
        return float(qwk_of_counts(confusion(true[of], final[of], K)))

    by_prompt = sorted(kappa(prompts == p) for p in set(prompts) if (prompts == p).sum() >= 30)
    near = np.abs(error) <= 0.5
    return [
        float(np.mean([kappa(folds == fold) for fold in np.unique(folds)])),
        kappa(slice(None)),
        by_prompt[0],
        float(np.mean(by_prompt[:5])),
        float(near[run.true[at] <= 2].mean()),
        float(near[run.true[at] >= 4].mean()),
        float(np.abs(error).mean()),
        float(np.sqrt((error**2).mean())),
        float((final - true).mean() / np.sqrt((true.var(ddof=1) + final.var(ddof=1)) / 2)),
    ]


def plain_loop(reference: Predictions, candidate: Predictions, replicates: int) -> FloatArray:
    """Return deltas (R, 9): prompts drawn, then essays within them, one replicate at a time."""
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
    print(f"{'essays':>7} {'prompts':>8} {'replicates':>11} {'here':>8} {'loop':>10} {'scipy':>10}")
    print(f"{'':>28} {len(DELTAS)} figures  {len(DELTAS)} figures   1 figure")
    for n, n_prompts, nested, replicates in ((1511, 32, True, 2000), (17307, 7, False, 10_000)):
        pair = made(n, n_prompts, nested)
        here = seconds(lambda p=pair, r=replicates: compare(*p, replicates=r))
        few = 20
        loop = seconds(plain_loop, *pair, few) / few * replicates
        scipy = seconds(by_scipy, *pair, 10 * few) / (10 * few) * replicates
        print(f"{n:>7} {n_prompts:>8} {replicates:>11} {here:>7.2f}s {loop:>9.1f}s {scipy:>9.1f}s")


if __name__ == "__main__":
    main()
