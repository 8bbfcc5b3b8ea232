from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.models.transformer.batching import cut_step, epoch_steps

GROUPS = np.array([0] * 6 + [1] * 3 + [2])


def test_an_epoch_has_every_essay_once_and_a_partial_last_step() -> None:
    steps = epoch_steps(GROUPS, 4, seed=1)
    assert [len(rows) for rows in steps] == [4, 4, 2]
    assert sorted(np.concatenate(steps).tolist()) == list(range(10))


def test_epochs_are_composed_anew_and_the_same_for_the_same_seed() -> None:
    """Batches were once composed one time and repeated every epoch."""
    one, again, other = (epoch_steps(np.zeros(40, int), 8, seed) for seed in (1, 1, 2))
    assert [rows.tolist() for rows in one] == [rows.tolist() for rows in again]
    assert {frozenset(rows.tolist()) for rows in one}.isdisjoint(
        frozenset(rows.tolist()) for rows in other
    )


def test_balanced_steps_draw_every_group_equally_often() -> None:
    groups = np.repeat([0, 1, 2], [2700, 250, 50])
    drawn = groups[np.concatenate(epoch_steps(groups, 32, seed=3, balanced=True))]
    assert len(drawn) == 3000
    # Each count is binomial(3000, 1/3): mean 1000, deviation 25.8; five deviations are 129.
    assert np.abs(np.bincount(drawn) - 1000).max() < 129


def test_a_step_is_not_made_of_long_essays_alone() -> None:
    """Sorting before drawing would make steps of one length, whose gradients are not alike."""
    lengths = np.arange(400)
    means = [lengths[rows].mean() for rows in epoch_steps(np.zeros(400, int), 40, seed=5)]
    # The mean of 40 of 0..399 has mean 199.5 and deviation 115.5 / sqrt(40) = 18.3 at most.
    assert np.abs(np.array(means) - 199.5).max() < 4 * 18.3


def test_a_step_is_cut_longest_first_by_essays_and_by_tokens() -> None:
    tokens = [10, 90, 40, 30, 20, 200]
    parts = cut_step(np.array([0, 1, 2, 3, 4, 5]), tokens, most_essays=3, most_tokens=100)
    # 200 alone exceeds the budget; 90 leaves no room; 40 has room for 100 // 40 = 2.
    assert [part.tolist() for part in parts] == [[5], [1], [2, 3], [4, 0]]


@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=40),
    st.integers(1, 9),
    st.integers(64, 2000),
)
def test_every_cut_has_each_essay_once_within_both_limits(
    tokens: list[int], most_essays: int, most_tokens: int
) -> None:
    rows = np.arange(len(tokens))[::-1]
    parts = cut_step(rows, tokens, most_essays, most_tokens)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(tokens)))
    for part in parts:
        assert len(part) <= most_essays
        longest = max(tokens[row] for row in part)
        assert len(part) == 1 or longest * len(part) <= most_tokens
