"""Which essays an optimiser step has, and how it is cut into forward passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from essay_scoring.core.scale import IntArray
from essay_scoring.features.chunking import batches_by_length


def epoch_steps(
    groups: IntArray, step_essays: int, seed: int, *, balanced: bool = False
) -> list[IntArray]:
    """Return the rows of every optimiser step of one epoch: `step_essays`, the last perhaps fewer.

    Every essay comes once, in an order of its own for each seed. `balanced` draws as many rows with
    replacement instead, each of the `groups` (n,) equally often but for chance.
    """
    rng = np.random.default_rng(seed)
    n = len(groups)
    if balanced:
        _, group_of, size_of = np.unique(groups, return_inverse=True, return_counts=True)
        chance = 1.0 / size_of[group_of]
        order = rng.choice(n, size=n, p=chance / chance.sum())
    else:
        order = rng.permutation(n)
    return [order[start : start + step_essays] for start in range(0, n, step_essays)]


def cut_step(
    rows: IntArray, tokens: Sequence[int], most_essays: int, most_tokens: int
) -> list[IntArray]:
    """Return a step's rows as forward passes of essays of similar length, the longest first.

    `tokens` is the length of every essay there is. Steps are drawn before they are sorted, so that
    no step is made of long essays alone.
    """
    lengths = [tokens[row] for row in rows]
    return [rows[part] for part in batches_by_length(lengths, most_tokens, most_essays)]
