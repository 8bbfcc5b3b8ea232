"""How often 95% intervals hold the truth, over corpora drawn anew: prompts, essays and errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import summarise
from tests.statistics.made import HALVES, bounds, given

pytestmark = pytest.mark.slow

N_CORPORA = 200
"""The standard error of a coverage of 95% is 1.5 points over so many corpora. A guard against gross
faults: `benchmarks/coverage.py` simulates more of them, and tells the figures."""

N_ESSAYS, N_PROMPTS, N_FOLDS = 1511, 32, 5
Pair = tuple[Predictions, Predictions]


def drawn_corpus(seed: int, spread: float) -> Pair:
    """Return two scorers' predictions of a corpus of the size and shape of ELLIPSE.

    `spread` says how far prompts differ in how well and how generously they are scored.
    """
    rng = np.random.default_rng([seed, round(spread * 100)])
    prompt, fold = drawn_prompts(rng)
    n = len(prompt)
    ability = 0.9 * rng.normal(size=n) + (0.3 * rng.normal(size=N_PROMPTS))[prompt]
    true = HALVES.round(3 + 0.62 * ability, [""] * n)
    noise = 0.42 * np.exp(0.8 * spread * rng.normal(size=N_PROMPTS))[prompt]
    errors, shifts = rng.normal(size=(3, n)), spread * rng.normal(size=(3, N_PROMPTS))

    def scored(own: int, better: float) -> Predictions:
        error = noise * better * (np.sqrt(0.8) * errors[0] + np.sqrt(0.2) * errors[own])
        shift = 0.3 * (0.8 * shifts[0] + 0.6 * shifts[own])[prompt]
        return predictions(prompt, fold, true, 3 + 0.558 * ability + error + shift)

    return scored(1, 1.0), scored(2, 0.97)


def drawn_prompts(rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Return prompt and fold of each essay: sizes as in ELLIPSE, spread evenly over folds."""
    share = rng.gamma(1.2, 1, N_PROMPTS) + 0.15
    sizes = rng.multinomial(N_ESSAYS - 5 * N_PROMPTS, share / share.sum()) + 5
    fold = np.empty(N_PROMPTS, dtype=np.int64)
    fold[np.argsort(-sizes)] = np.arange(N_PROMPTS) % N_FOLDS
    prompt = np.repeat(np.arange(N_PROMPTS), sizes)
    return prompt, fold[prompt]


@cache
def synthetic_population() -> tuple[list[IntArray], FloatArray, FloatArray]:
    """Return the essays of each prompt of a large synthetic corpus, true scores, and two scorers.

    The scorers see the second rater's score, (2, n); they share some of their errors and of how
    generous they are with a prompt.
    """
    corpus = generate(SyntheticCorpus(n_essays=20_000, n_prompts=200, seed=11), "train")
    names, prompt = np.unique(corpus.essays.prompts, return_inverse=True)
    assert corpus.second_scores is not None
    rng, n = np.random.default_rng(5), len(prompt)
    errors, shifts = rng.normal(size=(3, n)), rng.normal(size=(3, len(names)))
    raw = [
        3
        + 0.75 * (corpus.second_scores - 3)
        + noise * (0.8 * errors[0] + 0.6 * errors[own])
        + 0.15 * (0.8 * shifts[0] + 0.6 * shifts[own])[prompt]
        for own, noise in ((1, 0.35), (2, 0.3))
    ]
    of_prompt = [np.flatnonzero(prompt == number) for number in range(len(names))]
    return of_prompt, corpus.scores, np.array(raw)


def synthetic_corpus(seed: int) -> Pair:
    """Return two scorers' predictions of prompts, and essays within them, of the population."""
    rng = np.random.default_rng([seed, 3])
    of_prompt, true, raw = synthetic_population()
    prompt, fold = drawn_prompts(rng)
    chosen = rng.integers(len(of_prompt), size=N_PROMPTS)
    at = np.concatenate(
        [rng.choice(of_prompt[chosen[p]], k) for p, k in enumerate(np.bincount(prompt))]
    )
    one, other = (predictions(prompt, fold, true[at], scorer[at]) for scorer in raw)
    return one, other


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


@pytest.mark.parametrize(
    "draw",
    [
        synthetic_corpus,
        lambda seed: drawn_corpus(seed, 0.0),
        lambda seed: drawn_corpus(seed, 0.5),
    ],
    ids=["the synthetic corpus", "prompts alike", "prompts that differ"],
)
def test_intervals_of_deltas_cover_as_they_say(draw: Callable[[int], Pair]) -> None:
    """The candidate is truly better in all of them."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(N_CORPORA):
        deltas = compare(*draw(seed), replicates=300, seed=seed).deltas
        for name, delta in deltas.items():
            assert delta.estimate is not None
            assert delta.low is not None
            assert delta.high is not None
            found.setdefault(name, []).append((delta.estimate, delta.low, delta.high))
    held = {name: coverage(*split(rows)) for name, rows in found.items()}
    print(held)  # noqa: T201
    for name in ("mean_qwk", "pooled_qwk", "bottom_k_mean"):
        assert 0.91 <= held[name] <= 0.985, name
    # Lowest prompts are biased down, in resamples as in samples, and may be covered more often.
    assert min(held.values()) >= 0.9


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_intervals_of_one_run_cover_almost_as_they_say(spread: float) -> None:
    """Few prompts that differ much leave an interval a little short, never far."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(N_CORPORA):
        run, _ = drawn_corpus(seed, spread)
        for name, row in summarise(run, replicates=300, seed=seed).overall.items():
            found.setdefault(name, []).append((given(row.estimate), *bounds(row)))
    held = {name: coverage(*split(rows)) for name, rows in found.items()}
    print(f"spread {spread}: {held}")  # noqa: T201
    for name, share in held.items():
        assert 0.89 <= share <= 0.98, name


def split(rows: list[tuple[float, float, float]]) -> tuple[FloatArray, FloatArray]:
    table = np.array(rows)
    return table[:, 0], table[:, 1:]
