"""Made predictions to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.statistics.agreement import Estimate
from essay_scoring.statistics.comparison import Delta
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.slices import PromptRow

T = TypeVar("T")

HALVES = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))
MIXED = ScoreScales(
    by_prompt={
        "p00": ScoreScale(low=0, high=3),
        "p01": ScoreScale(low=2, high=12),
        "p02": ScoreScale(low=0, high=60),
        "p03": ScoreScale(low=0, high=3),
    }
)


def made_predictions(
    n: int = 300,
    *,
    n_prompts: int = 8,
    n_folds: int = 4,
    seed: int = 0,
    nested: bool = True,
    noise: float = 0.4,
    scales: ScoreScales = HALVES,
    rated_twice: float = 0.0,
) -> Predictions:
    """Return predictions whose essays depend on `seed` alone, as do their errors.

    A second rater, as far from ability as the machine, scored a share `rated_twice` of the essays.
    """
    rng = np.random.default_rng(seed)
    prompt = rng.integers(0, n_prompts, n)
    prompts = tuple(f"p{number:02d}" for number in prompt)
    ability = 2 + 0.8 * rng.normal(size=n)
    true = scales.round(scales.from_training(ability, prompts), prompts)
    at = ability * 0.9 + 0.2 + noise * rng.normal(size=n)
    raw = scales.from_training(at, prompts)
    folds = (prompt % n_folds) if nested else rng.integers(0, n_folds, n)
    ids = tuple(f"e{number:05d}" for number in range(n))
    final, second = scales.round(raw, prompts), None
    if rated_twice:
        other = scales.from_training(ability + 0.4 * rng.normal(size=n), prompts)
        second = np.where(rng.random(n) < rated_twice, scales.round(other, prompts), np.nan)
    return Predictions(ids, prompts, folds, true, raw, final, scales, second=second)


def rescored(reference: Predictions, *, seed: int, noise: float = 0.4) -> Predictions:
    """Return another scorer's predictions of the same essays."""
    rng = np.random.default_rng([seed, 99])
    p = reference
    at = p.scales.to_training(p.true, p.prompts) + noise * rng.normal(size=len(p))
    raw = p.scales.from_training(at, p.prompts)
    return replace(p, raw=raw, final=p.scales.round(raw, p.prompts))


def of_scores(
    true: Sequence[float],
    final: Sequence[float],
    *,
    prompts: Sequence[str] | None = None,
    folds: Sequence[int] | None = None,
    scales: ScoreScales = HALVES,
) -> Predictions:
    """Return predictions with these scores; one prompt `p` and one fold unless given."""
    n = len(true)
    return Predictions(
        tuple(f"e{row}" for row in range(n)),
        tuple(prompts or ["p"] * n),
        np.array(folds if folds is not None else [0] * n, dtype=np.int64),
        np.array(true, dtype=np.float64),
        np.array(final, dtype=np.float64),
        np.array(final, dtype=np.float64),
        scales,
    )


def given(value: T | None) -> T:
    """Return a figure that has to be there."""
    assert value is not None
    return value


def bounds(row: Estimate | PromptRow | Delta) -> tuple[float, float]:
    """Return the ends of an interval that has to be there."""
    return given(row.low), given(row.high)
