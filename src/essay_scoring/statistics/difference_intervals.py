"""Which of the intervals of two runs the difference of a figure has."""

from __future__ import annotations

from typing import NamedTuple

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics.intervals import (
    AddedNoise,
    drawn_interval,
    first_with_width,
    hull,
    is_plain,
    is_tied,
    jackknife_interval,
    swap_interval,
)
from essay_scoring.statistics.threshold_free import PRMSE

LOWEST = ("worst_prompt_qwk", "shrunken_worst_qwk")
"""The figures of one prompt. Where it is the worst of both runs, swaps only change the sign of the
difference and tell nothing of its size: an interval from swaps alone held 0 whatever the truth was,
and true differences 60 to 70% of the time."""

LOWEST_K = "bottom_k_mean"
"""The figure of k prompts. Where swaps are tied it has the jackknife's interval: from swaps alone
it held 0 whatever the truth was. Of FEW prompts it is as that of one."""

FEW = 2


class DifferenceResamples(NamedTuple):
    """A difference under swaps (R,), over draws (R,) where they count, and without prompts (G,)."""

    swapped: FloatArray
    drawn: FloatArray | None
    without: FloatArray
    peers: FloatArray | None


def drawn_figures(bottom_k: int) -> tuple[str, ...]:
    """Return the figures whose intervals rest on prompts and essays drawn anew too."""
    return (*LOWEST, LOWEST_K) if bottom_k <= FEW else LOWEST


def difference_interval(
    name: str, estimate: float, resampled: DifferenceResamples, units: float, seeds: AddedNoise
) -> tuple[float, float] | None:
    """Return the interval of a figure's difference, None where it has none.

    `units` is the number of equal prompts that the figure rests on, `seeds` what those of both runs
    add.
    """
    swapped, drawn, without, peers = resampled
    ends = swap_interval(estimate, swapped, units, seeds)
    if ends is None:
        return None
    tied = name == LOWEST_K and drawn is None and is_tied(swapped)
    if tied or name == PRMSE or is_plain(estimate, swapped, units):
        jackknifed = jackknife_interval(estimate, without, units - 1, seeds, peers)
        ends = first_with_width(jackknifed, ends) if tied else hull(ends, jackknifed)
    if ends is not None and drawn is not None:
        ends = hull(ends, drawn_interval(estimate, drawn, units))
    return ends
