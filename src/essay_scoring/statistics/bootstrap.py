"""Two-level resampling: prompts, then essays within a prompt, one draw for all runs.

Resampling both levels in full counts the noise of essays twice: once through the prompts' own
figures, once again within them, and intervals come out up to 1.4 times too wide. Drawing k prompts
out of k lacks only 1/k of the variance, so the second level here adds that much: from a prompt
drawn m times, m * n * k essays are drawn and each stands for 1/k of an essay (Rao and Wu 1988
rescale in this spirit; Davison and Hinkley 1997, section 3.8, give the variances). Labels stay as
they are: what fits cut-points again is `reweighted`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics.counts import N_MOMENTS, Draws, Tables

Level = Literal["prompts", "essays"]

BLOCK_NUMBERS, FEWEST_IN_BLOCK = 2_000_000, 32
"""How many numbers a block of resamples may hold, which bounds memory at about 16 MB: more only
where thousands of prompts leave too few resamples to a block, and each prompt costs its calls."""

MIN_DEFINED = 0.9
"""The share of resamples in which a figure must be defined for it to have an interval."""


def resample(tables: Tables, replicates: int, seed: int, level: Level) -> Iterator[Draws]:
    """Yield `replicates` resamples in blocks.

    `prompts`: prompts, from all of them at once, and essays within them. `essays`: every prompt
    once, essays within it in full. What a prompt draws depends on the seed and its name, not on its
    place.
    """
    layout = tables.layout
    n_prompts = len(layout.prompts)
    drawn = np.ones((replicates, n_prompts), dtype=np.int64)
    times = np.ones(n_prompts, dtype=np.int64)
    if level == "prompts":
        drawn, times = draw_prompts(n_prompts, replicates, seed), times * n_prompts
    generators = [
        np.random.default_rng(derive_seed(seed, level, "essays of", prompt))
        for prompt in layout.prompts
    ]
    width = len(tables.counts) + len(layout.cell_fold) * tables.moments.shape[1] * N_MOMENTS
    size = max(FEWEST_IN_BLOCK, BLOCK_NUMBERS // width)
    for start in range(0, replicates, size):
        block = drawn[start : start + size]
        yield Draws(_draw_essays(tables, block * times, generators), times, block)


def draw_prompts(n_prompts: int, replicates: int, seed: int) -> IntArray:
    """Return how often each of so many prompts is drawn, (R, P).

    From all of them and not within folds: a fold of one prompt would always hold the same one, and
    its variance be left out.
    """
    rng = np.random.default_rng(derive_seed(seed, "prompts"))
    return rng.multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=replicates)


def percentiles(draws: FloatArray) -> tuple[float | None, float | None]:
    """Return the middle 95% of resamples (R,); None where the figure is undefined in many."""
    defined = draws[np.isfinite(draws)]
    if not len(draws) or len(defined) < MIN_DEFINED * len(draws):
        return None, None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def _draw_essays(
    tables: Tables, repeats: IntArray, generators: list[np.random.Generator]
) -> FloatArray:
    """Return counts (R, u) of essays drawn within prompts, each in full `repeats` (R, P) times."""
    ends = np.append(tables.prompt_starts[1:], len(tables.counts))
    out = np.empty((len(repeats), len(tables.counts)))
    for prompt, rng in enumerate(generators):
        rows = slice(tables.prompt_starts[prompt], ends[prompt])
        n, held = tables.layout.sizes[prompt], tables.counts[rows]
        out[:, rows] = rng.multinomial(repeats[:, prompt] * n, held / n)
    return out
