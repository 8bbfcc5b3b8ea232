"""One set of resampled essays for a whole audit, and figures with intervals from it.

Prompts are drawn within folds and essays within prompts, as `statistics.bootstrap` does for the
figures of a run, so that an audit's intervals mean what a run's do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.records.audit_record import Figure
from essay_scoring.statistics.bootstrap import effective_prompts, interval, resample
from essay_scoring.statistics.counts import Layout, Mask, Tables, tabulate
from essay_scoring.statistics.metrics import finite_or_none
from essay_scoring.statistics.predictions import Predictions

Statistic = Callable[[FloatArray], FloatArray]
"""From the weights of essays in resamples, (R, n), to a figure of each, (R,)."""

REPLICATES = 1000
FEWEST_REPLICATES = 200
MOST_NUMBERS = 40_000_000
"""How many weights are kept at once, which bounds memory at about 320 MB."""


@dataclass(frozen=True)
class Limit:
    """What a figure is held against: its size at most `value`, or itself at least that."""

    value: float
    at_least: bool = False

    def holds(self, estimate: float) -> bool:
        """Tell whether an estimate keeps the limit."""
        return estimate >= self.value if self.at_least else abs(estimate) <= self.value


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic of the data, and of each resample, (R,); NaN where it has no meaning."""

    estimate: float
    resampled: FloatArray


@dataclass(frozen=True, eq=False)
class Resamples:
    """`weights` (R, n) of the essays in each resample, and which prompt, (n,), each belongs to."""

    weights: FloatArray
    layout: Layout
    prompt_of: IntArray

    @classmethod
    def of(cls, predictions: Predictions, seed: int, replicates: int = REPLICATES) -> Resamples:
        """Return resamples of the essays of a run: fewer for a corpus too large to keep them."""
        n = len(predictions)
        replicates = min(replicates, max(FEWEST_REPLICATES, MOST_NUMBERS // max(1, n)))
        tables, order, prompt_of = _essay_by_essay(predictions)
        times = np.empty(0)
        blocks = []
        for draws in resample(tables, replicates, seed, "prompts"):
            times = draws.times[prompt_of[order]].astype(np.float64)
            blocks.append(draws.counts / times)
        weights = np.empty((replicates, n))
        weights[:, order] = np.concatenate(blocks)
        return cls(weights, tables.layout, prompt_of)

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

        `members` (n,) are the essays that it rests on: all unless told.
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
            low, high = interval(found.resampled, self.units(members))
        asked: dict[str, Any] = {}
        if limit is not None:
            asked = {"limit": limit.value, "at_least": limit.at_least}
            asked["passes"] = None if estimate is None else limit.holds(estimate)
        return Figure(name, group, estimate, int(members.sum()), low, high, **asked)

    def units(self, members: Mask) -> float:
        """Return how many equal prompts the essays marked in `members` (n,) amount to."""
        held = np.bincount(self.prompt_of[members], minlength=len(self.layout.prompts))
        present = int((held > 0).sum())
        return min(float(present), effective_prompts(self.layout, held.astype(np.float64)))


def _essay_by_essay(predictions: Predictions) -> tuple[Tables, IntArray, IntArray]:
    """Return a table with a row an essay, the essay of each row, and the prompt of each essay."""
    layout = tabulate([predictions]).layout
    prompt_of = predictions.numbered_prompts()[1]
    fold_of = np.searchsorted(layout.folds, predictions.folds)
    order = np.lexsort((fold_of, prompt_of))
    ordered = prompt_of[order]
    cells = ordered * len(layout.folds) + fold_of[order]
    n = len(order)
    tables = Tables(
        layout,
        np.ones(n, dtype=np.int64),
        np.zeros((n, 1, 1)),
        np.zeros((n, 0)),
        np.unique(cells, return_index=True)[1],
        np.searchsorted(ordered, np.arange(len(layout.prompts))),
    )
    return tables, order, prompt_of
