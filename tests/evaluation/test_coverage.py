"""How often 95% intervals hold the truth, over corpora drawn anew: prompts, essays and errors."""

from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.evaluation.comparison import compare
from essay_scoring.evaluation.predictions import Predictions
from essay_scoring.evaluation.summary import summarise
from tests.evaluation.made import HALVES

pytestmark = pytest.mark.slow

N_CORPORA = 400
N_ESSAYS, N_PROMPTS, N_FOLDS = 1511, 32, 5


def drawn_corpus(seed: int, spread: float) -> tuple[Predictions, Predictions]:
    """Return two scorers' predictions of a corpus of the size and shape of ELLIPSE.

    `spread` says how far prompts differ in how well and how generously they are scored.
    """
    rng = np.random.default_rng([seed, round(spread * 100)])
    share = rng.gamma(1.2, 1, N_PROMPTS) + 0.15
    sizes = rng.multinomial(N_ESSAYS - 5 * N_PROMPTS, share / share.sum()) + 5
    prompt = np.repeat(np.arange(N_PROMPTS), sizes)
    n = len(prompt)
    ability = 0.9 * rng.normal(size=n) + (0.3 * rng.normal(size=N_PROMPTS))[prompt]
    true = HALVES.round(3 + 0.62 * ability, [""] * n)
    noise = 0.42 * np.exp(0.8 * spread * rng.normal(size=N_PROMPTS))[prompt]
    errors, shifts = rng.normal(size=(3, n)), spread * rng.normal(size=(3, N_PROMPTS))
    fold = np.empty(N_PROMPTS, dtype=np.int64)
    fold[np.argsort(-sizes)] = np.arange(N_PROMPTS) % N_FOLDS

    def scored(own: int, better: float) -> Predictions:
        error = noise * better * (np.sqrt(0.8) * errors[0] + np.sqrt(0.2) * errors[own])
        shift = 0.3 * (0.8 * shifts[0] + 0.6 * shifts[own])[prompt]
        return predictions(prompt, fold[prompt], true, 3 + 0.558 * ability + error + shift)

    return scored(1, 1.0), scored(2, 0.97)


def predictions(
    prompt: IntArray, folds: IntArray, true: FloatArray, raw: FloatArray
) -> Predictions:
    prompts = tuple(f"p{number:02d}" for number in prompt)
    ids = tuple(map(str, range(len(prompt))))
    return Predictions(ids, prompts, folds, true, raw, HALVES.round(raw, prompts), HALVES)


def coverage(estimates: FloatArray, edges: FloatArray) -> float:
    """Return how often the mean estimate over all corpora, the truth, lies within the edges."""
    truth = estimates.mean()
    return float(((edges[:, 0] <= truth) & (truth <= edges[:, 1])).mean())


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_intervals_of_deltas_cover_as_they_say(spread: float) -> None:
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(N_CORPORA):
        deltas = compare(*drawn_corpus(seed, spread), replicates=400, seed=seed).deltas
        for name, delta in deltas.items():
            assert delta.estimate is not None
            assert delta.low is not None
            assert delta.high is not None
            found.setdefault(name, []).append((delta.estimate, delta.low, delta.high))
    held = {name: coverage(*split(rows)) for name, rows in found.items()}
    print(f"spread {spread}: {held}")  # noqa: T201
    for name in ("mean_qwk", "pooled_qwk", "bottom_k_mean", "mae", "low_tail_adjacent"):
        assert 0.92 <= held[name] <= 0.98, name


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_intervals_of_one_run_cover_almost_as_they_say(spread: float) -> None:
    """Few prompts that differ much leave an interval a little short, never far."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(N_CORPORA):
        run, _ = drawn_corpus(seed, spread)
        for name, row in summarise(run, replicates=300, seed=seed)["overall"].items():
            found.setdefault(name, []).append((row["estimate"], row["low"], row["high"]))
    held = {name: coverage(*split(rows)) for name, rows in found.items()}
    print(f"spread {spread}: {held}")  # noqa: T201
    for name, share in held.items():
        assert 0.89 <= share <= 0.98, name


def split(rows: list[tuple[float, float, float]]) -> tuple[FloatArray, FloatArray]:
    table = np.array(rows)
    return table[:, 0], table[:, 1:]
