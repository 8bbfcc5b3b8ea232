"""The essays of an audit without each prompt in turn, and figures with intervals from that.

The jackknife over prompts, as for the figures of a run, so that an audit's intervals mean what a
run's do. Scores stay as they are: where cut-points gave them, their noise is not in an audit's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.audit_record import Figure
from essay_scoring.statistics import weighted
from essay_scoring.statistics.counts import Layout, Mask, tabulate
from essay_scoring.statistics.intervals import (
    effective_prompts,
    jackknife_interval,
    kappa_interval,
    left_out,
    prompt_freedom,
    share_interval,
)
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

Statistic = Callable[[FloatArray], FloatArray]
"""From the weights of essays in resamples, (R, n), to a figure of each, (R,)."""


AGREEMENT = ("QWK", "r")
"""The figures whose intervals stay within -1 and 1, beside those named (Pearson)."""


@dataclass(frozen=True)
class Limit:
    """What a figure is held against: its size at most `value`, or itself at least that.

    `one_sided` holds it against what lies above `value` alone.
    """

    value: float
    at_least: bool = False
    one_sided: bool = False

    def decides(self, low: float | None, high: float | None) -> bool | None:
        """Tell whether the whole of an interval keeps the limit; None where only a part does."""
        if low is None or high is None:
            return None
        if self.at_least:
            low, high = -high, -low
        least = -math.inf if self.at_least or self.one_sided else -self.value
        most = -self.value if self.at_least else self.value
        if least <= low and high <= most:
            return True
        return False if low > most or high < least else None


def judged(figure: Figure, limit: Limit) -> Figure:
    """Return a figure held against a limit."""
    decided = limit.decides(figure.low, figure.high)
    return replace(figure, limit=limit.value, at_least=limit.at_least, passes=decided)


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic of the data, and without each prompt, (R,); NaN where it has no meaning."""

    estimate: float
    resampled: FloatArray


@dataclass(frozen=True, eq=False)
class Resamples:
    """`weights` (R, n) of the essays without each prompt, and which prompt, (n,), each is of."""

    weights: FloatArray
    layout: Layout
    prompt_of: IntArray

    @classmethod
    def of(cls, predictions: Predictions, seed: int) -> Resamples:
        """Return the essays of a run without each prompt, or each group of very many prompts."""
        layout = tabulate([predictions]).layout
        prompt_of = predictions.numbered_prompts()[1]
        return cls(left_out(len(layout.prompts), seed)[:, prompt_of], layout, prompt_of)

    def figure(
        self,
        name: str,
        statistic: Statistic,
        *,
        group: str = "",
        members: Mask | None = None,
        limit: Limit | None = None,
    ) -> Figure:
        """Return a statistic of the data with its interval, held against a limit.

        `members` (n,) are the essays that it rests on: all unless told. A limit is kept or missed
        by the whole interval, or nothing is decided.
        """
        whole = np.ones((1, len(self.prompt_of)))
        found = Resampled(float(statistic(whole)[0]), statistic(self.weights))
        return self.figure_of(name, found, group=group, members=members, limit=limit)

    def figure_of(
        self,
        name: str,
        found: Resampled,
        *,
        group: str = "",
        members: Mask | None = None,
        limit: Limit | None = None,
    ) -> Figure:
        """Return `figure` of a statistic that was computed already."""
        members = np.ones(len(self.prompt_of), dtype=bool) if members is None else members
        estimate = finite_or_none(found.estimate)
        low, high = (None, None)
        if estimate is not None:
            freedom = prompt_freedom(self.units(members))
            of_agreement = name in AGREEMENT or name.endswith("(Pearson)")
            interval = kappa_interval if of_agreement else jackknife_interval
            low, high = interval(estimate, found.resampled, freedom) or (None, None)
        figure = Figure(name, group, estimate, int(members.sum()), low, high)
        return figure if limit is None else judged(figure, limit)

    def share(self, name: str, marked: Mask, *, group: str = "", limit: Limit) -> Figure:
        """Return the share of the essays that are `marked` (n,), held against a limit."""
        n, freedom = len(marked), prompt_freedom(self.units(np.ones(len(marked), dtype=bool)))
        without = weighted.share(self.weights, marked)
        ends = share_interval(float(marked.mean()), without, n, freedom)
        low, high = ends or (None, None)
        return judged(Figure(name, group, float(marked.mean()), n, low, high), limit)

    def units(self, members: Mask) -> float:
        """Return how many equal prompts the essays marked in `members` (n,) amount to."""
        held = np.bincount(self.prompt_of[members], minlength=len(self.layout.prompts))
        present = int((held > 0).sum())
        return min(float(present), effective_prompts(held.astype(np.float64)))
