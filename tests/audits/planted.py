"""Made essays whose score follows one column alone, and a design that holds prompts out."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.contracts import Columns
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.models.registry import ScorerContext
from essay_scoring.runs.cross_validation import Design
from essay_scoring.statistics.predictions import Predictions

HALVES = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))
SIGNAL = "spelling_errors_per_100_words"
NAMES = (SIGNAL, "grammar_errors_per_100_words", "mtld", "paragraph_count")
N_PROMPTS, N_FOLDS = 10, 5


def planted_essays(n: int = 300, *, scales: ScoreScales = HALVES, seed: int = 0) -> ScoredEssays:
    """Return essays whose text lists the values of NAMES; the score falls with the first one."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(NAMES)))
    prompts = tuple(f"prompt {row % N_PROMPTS}" for row in range(n))
    target = np.clip(2 - values[:, 0] + 0.3 * rng.normal(size=n), 0, 4)
    scores = scales.round(scales.from_training(target, prompts), prompts)
    texts = tuple(" ".join(f"{value:.6f}" for value in row) for row in values)
    return ScoredEssays(
        Essays(tuple(f"e{row}" for row in range(n)), texts, prompts), scores, scales
    )


def planted_columns(essays: Essays) -> Columns:
    """Return the values that each text lists; every seventh paragraph count is unknown."""
    values = np.array([[float(word) for word in text.split()] for text in essays.texts])
    values = values.reshape(-1, len(NAMES)).astype(np.float32)
    odd = [int(essay.removeprefix("e")) % 7 == 0 for essay in essays.ids]
    values[odd, -1] = np.nan
    return Columns(NAMES, values)


def planted_design(train: ScoredEssays) -> Design:
    """Return five folds of two prompts each."""
    folds = np.array([int(prompt.split()[1]) % N_FOLDS for prompt in train.prompts])
    return Design(train, "prompt_holdout", folds, train.prompts, dev_share=0.2, seed=1)


def planted_context(scales: ScoreScales = HALVES, seed: int = 42) -> ScorerContext:
    """Return a context of one thread on the planted columns."""
    return ScorerContext(scales, planted_columns, seed, threads=1)


def predictions_of(train: ScoredEssays, raw: FloatArray) -> Predictions:
    """Return raw predictions, own scale, rounded to scores."""
    folds = planted_design(train).fold_of
    final = train.scales.round(raw, train.prompts)
    ids, prompts = train.essays.ids, train.prompts
    return Predictions(ids, prompts, folds, train.scores, raw, final, train.scales)
