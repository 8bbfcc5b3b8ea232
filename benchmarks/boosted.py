"""Time of warm five-fold fits of the boosted families on made columns, 1,511 x 410.

Run: python benchmarks/boosted.py
"""

from __future__ import annotations

import time

import numpy as np
from record import record

from essay_scoring.core.contracts import Columns
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.models.registry import ScorerContext, build_scorer
from essay_scoring.models.scorer_settings import (
    CatBoostSettings,
    RidgeSettings,
    ScorerSettings,
    TrainingSettings,
    XGBoostSettings,
)

N, WIDTH, FOLDS, THREADS = 1511, 410, 5, 2
SCALES = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))


def made_corpus() -> tuple[ScoredEssays, ScorerContext]:
    """Return scored essays of which 25 strong columns explain half the variance, and a context."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N, WIDTH)).astype(np.float32)
    signal = values[:, :25] @ rng.normal(size=25)
    latent = 0.7 * signal / signal.std() + 0.7 * rng.normal(size=N)
    scores = SCALES.round(3.1 + 0.62 * latent, ("p",) * N)
    essays = Essays(tuple(map(str, range(N))), ("",) * N, ("p",) * N)
    names = tuple(f"c{i}" for i in range(WIDTH))

    def source(asked: Essays) -> Columns:
        return Columns(names, values[[int(essay) for essay in asked.ids]])

    return ScoredEssays(essays, scores, SCALES), ScorerContext(SCALES, source, 42, THREADS)


def time_folds(settings: ScorerSettings) -> tuple[float, list[int | None], float]:
    """Return seconds of five fits and predictions, the rounds of each, and Pearson's r."""
    corpus, context = made_corpus()
    fold = np.arange(N) % FOLDS
    raw, rounds = np.empty(N), []
    start = time.perf_counter()
    for number in range(FOLDS):
        rest = np.flatnonzero(fold != number)
        scorer = build_scorer(settings, TrainingSettings(weighting="sqrt_inv_freq"), context)
        dev, train = corpus.take(rest[:180]), corpus.take(rest[180:])
        rounds.append(scorer.fit(train, dev).rounds)
        held_out = np.flatnonzero(fold == number)
        raw[held_out] = scorer.predict(corpus.essays.take(held_out))
    seconds = time.perf_counter() - start
    return seconds, rounds, float(np.corrcoef(raw, corpus.scores)[0, 1])


def main() -> None:
    """Print one line per family, after a short fit that loads its library."""
    for settings in (RidgeSettings(), XGBoostSettings(), CatBoostSettings()):
        short = {"rounds": 1} if hasattr(settings, "rounds") else {}
        time_folds(settings.model_copy(update=short))
        seconds, rounds, r = time_folds(settings)
        record(settings.family, seconds=round(seconds, 3), r=round(r, 4))
        print(
            f"{settings.family:<9} {seconds:6.2f} s for {FOLDS} folds, rounds {rounds}, r {r:.3f}"
        )


if __name__ == "__main__":
    main()
