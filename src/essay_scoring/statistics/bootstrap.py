"""Two-level resampling: prompts, then essays within a prompt, one draw for all runs.

Resampling both levels in full counts the noise of essays twice: once through the prompts' own
figures, once again within them, and intervals come out up to 1.4 times too wide. Drawing k prompts
out of k lacks only 1/k of the variance, so the second level here adds that much: from a prompt
drawn m times, m * n * k essays are drawn and each stands for 1/k of an essay (Rao and Wu 1988
rescale in this spirit; Davison and Hinkley 1997, section 3.8, give the variances). A test simulates
the coverage that results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.statistics import counts
from essay_scoring.statistics.counts import N_MOMENTS, Draws, Layout, Tables

Level = Literal["prompts", "essays"]

BLOCK_NUMBERS = 2_000_000
"""How many numbers a block of resamples may hold, which bounds memory at about 16 MB."""

MIN_DEFINED = 0.9
"""The share of resamples in which a figure must be defined for it to have an interval."""


def resample(tables: Tables, replicates: int, seed: int, level: Level) -> Iterator[Draws]:
    """Yield `replicates` resamples in blocks.

    `prompts`: prompts, and essays within them. `essays`: every prompt once, essays within it in
    full. What a prompt draws depends on the seed and its name, not on its place.
    """
    layout = tables.layout
    if level == "prompts":
        drawn, times = draw_prompts(layout, replicates, seed)
    else:
        drawn = np.ones((replicates, len(layout.prompts)), dtype=np.int64)
        times = np.ones(len(layout.prompts), dtype=np.int64)
    generators = [
        np.random.default_rng(derive_seed(seed, level, "essays of", prompt))
        for prompt in layout.prompts
    ]
    width = len(tables.counts) + len(layout.cell_fold) * tables.moments.shape[1] * N_MOMENTS
    size = max(1, BLOCK_NUMBERS // width)
    for start in range(0, replicates, size):
        block = drawn[start : start + size]
        yield Draws(_draw_essays(tables, block * times, generators), times, block)


def draw_prompts(layout: Layout, replicates: int, seed: int) -> tuple[IntArray, IntArray]:
    """Return how often each prompt is drawn (R, P), and out of how many it is drawn (P,).

    Prompts nested in folds are drawn within their fold, so that no fold is ever empty; a fold of
    one prompt then varies only through its essays. Prompts that span folds are drawn together.
    """
    rng = np.random.default_rng(derive_seed(seed, "prompts"))
    stratum = layout.cell_fold if layout.nested else np.zeros_like(layout.sizes)
    drawn = np.empty((replicates, len(layout.prompts)), dtype=np.int64)
    times = np.empty(len(layout.prompts), dtype=np.int64)
    for members in (np.flatnonzero(stratum == value) for value in np.unique(stratum)):
        k = len(members)
        drawn[:, members] = rng.multinomial(k, np.full(k, 1 / k), size=replicates)
        times[members] = k
    return drawn, times


def effective_prompts(layout: Layout, weights: FloatArray) -> float:
    """Return how many prompts of equal weight vary as these do, for `interval`; `weights` are (P,).

    Few large prompts decide a figure over all essays: (sum w)^2 / sum w^2 of them are left (Kish
    1965). Drawing within folds costs one more for each fold beyond the first, as degrees of freedom
    are clusters less strata in surveys (Korn and Graubard 1999). At least two, where two there are.
    """
    squares = float((weights**2).sum())
    alike = float(weights.sum()) ** 2 / squares if squares else 0.0
    strata = len(layout.folds) if layout.nested else 1
    return min(float(len(layout.prompts)), max(2.0, alike - (strata - 1)))


def figure_weights(tables: Tables) -> dict[str, FloatArray]:
    """Return the essays of each prompt, (P,), that a figure over all essays rests on, by figure.

    `low_tail_adjacent` and `high_tail_adjacent` rest on their tails, any other on "all".
    """
    of_rows = tables.counts[:, None] * tables.moments[:, 0]
    essays = np.add.reduceat(of_rows, tables.prompt_starts, axis=0).T
    return {
        "all": essays[counts.N],
        "low_tail_adjacent": essays[counts.LOW],
        "high_tail_adjacent": essays[counts.HIGH],
    }


def interval(draws: FloatArray, n_units: float) -> tuple[float | None, float | None]:
    """Return a 95% interval from resamples of `n_units` prompts (or of essays, within a prompt).

    Unequal prompts count as the `effective_prompts` that they are.

    Percentiles, moved outwards as few units demand (Hesterberg 2015, the expanded percentile
    interval): a percentile interval is too short by sqrt((n - 1) / n) and by normal instead of t
    quantiles. None for a single unit, or where the figure is undefined in many resamples.
    """
    from scipy.special import ndtr, stdtrit

    defined = draws[np.isfinite(draws)]
    if n_units < 2 or not len(draws) or len(defined) < MIN_DEFINED * len(draws):
        return None, None
    tail = ndtr(np.sqrt(n_units / (n_units - 1)) * stdtrit(n_units - 1, 0.025))
    low, high = np.quantile(defined, [tail, 1 - tail])
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
