"""The exact cut-point fit beside two usual searches: time and QWK on the same made predictions.

Run: python benchmarks/cutpoints.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from record import record

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale
from essay_scoring.models.mapping import fit_cutpoints
from essay_scoring.statistics.metrics import qwk

SCALE = ScoreScale(low=1, high=5, step=0.5)
Fit = Callable[[FloatArray, IntArray], FloatArray]


def made_predictions(n: int) -> tuple[FloatArray, IntArray]:
    """Return raw predictions that correlate 0.75 with the truth, and true positions, each (n,)."""
    rng = np.random.default_rng(n)
    latent = rng.normal(size=n)
    true = SCALE.index(3.1 + 0.62 * latent)
    noise = rng.normal(size=n)
    return 3.1 + 0.62 * (0.5625 * latent + 0.496 * noise), true


def agreement(raw: FloatArray, true: IntArray, cutpoints: FloatArray) -> float:
    """Return QWK under sorted thresholds, -1 where it is undefined."""
    labels = np.searchsorted(np.sort(cutpoints), raw, side="right")
    return qwk(true, labels, SCALE.n_labels) or -1.0


def half_bands() -> FloatArray:
    """Return the thresholds of plain rounding: where both searches start."""
    return SCALE.labels[1:] - SCALE.step / 2


def exact(raw: FloatArray, true: IntArray) -> FloatArray:
    """Return the project's fit."""
    return fit_cutpoints(raw, true, SCALE.n_labels)


def coordinate_search(raw: FloatArray, true: IntArray) -> FloatArray:
    """Return thresholds moved one at a time over 41 places until none of them helps."""
    best, reached = half_bands(), agreement(raw, true, half_bands())
    improved = True
    while improved:
        improved = False
        for at in range(len(best)):
            for to in best[at] + np.linspace(-0.3, 0.3, 41):
                trial = best.copy()
                trial[at] = to
                found = agreement(raw, true, trial)
                if found > reached + 1e-9:
                    best, reached, improved = np.sort(trial), found, True
    return best


def nelder_mead(raw: FloatArray, true: IntArray) -> FloatArray:
    """Return thresholds by scipy's simplex search."""
    from scipy.optimize import minimize

    found = minimize(lambda cut: -agreement(raw, true, cut), half_bands(), method="Nelder-Mead")
    return np.sort(found.x)


def main() -> None:
    """Print one line per method and size."""
    print(f"{'essays':>7} {'method':<18} {'seconds':>9} {'QWK':>8}")
    for n in (1511, 17307):
        raw, true = made_predictions(n)
        print(f"{n:>7} {'rounding':<18} {'':>9} {agreement(raw, true, half_bands()):>8.5f}")
        methods: tuple[Fit, ...] = (exact, coordinate_search, nelder_mead)
        for method in methods:
            start = time.perf_counter()
            cutpoints = method(raw, true)
            seconds = time.perf_counter() - start
            reached = agreement(raw, true, cutpoints)
            record(f"{method.__name__}, {n}", seconds=seconds, qwk=reached)
            print(f"{n:>7} {method.__name__:<18} {seconds:>9.4f} {reached:>8.5f}")


if __name__ == "__main__":
    main()
