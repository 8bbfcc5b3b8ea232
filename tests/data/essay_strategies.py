"""Scored essays for property tests: texts that repeat, prompts of any size, any scores."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import ScoreScale, ScoreScales

SCALES = ScoreScales(shared=ScoreScale(low=1, high=5))


def scored(texts: list[str], prompts: list[str], scores: list[float]) -> ScoredEssays:
    """Return scored essays with ids e0, e1, ..."""
    ids = tuple(f"e{i}" for i in range(len(texts)))
    essays = Essays(ids, tuple(texts), tuple(prompts))
    return ScoredEssays(essays, np.array(scores, dtype=np.float64), SCALES)


@st.composite
def scored_essays(draw: st.DrawFn) -> ScoredEssays:
    """Return 20 to 60 essays on 4 to 8 prompts, some with the text of another."""
    n = draw(st.integers(20, 60))
    n_prompts = draw(st.integers(4, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    prompts = [f"p{i % n_prompts if i < n_prompts else rng.integers(n_prompts)}" for i in range(n)]
    n_texts = draw(st.integers(n - 4, n))
    texts = [f"text {i if i < n_texts else rng.integers(n_texts)}" for i in range(n)]
    return scored(texts, prompts, rng.integers(1, 6, size=n).tolist())
