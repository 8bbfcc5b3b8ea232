"""Several raters of one essay: a row for each, and what of their scores is learnt."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray, ScoreScales
from essay_scoring.core.text import text_hash
from essay_scoring.data.rows import shown
from essay_scoring.data.tables import Table

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Ratings:
    """Essays with what raters gave them, n rows; scores may lie between the labels of a scale.

    `mean` (n,) is of all raters, None where there is one. `weights` (n,) are the essays' own in
    training.
    """

    essays: Essays
    first: FloatArray
    second: FloatArray | None
    traits: Mapping[str, FloatArray]
    writers: Mapping[str, tuple[str, ...]]
    mean: FloatArray | None = None
    weights: FloatArray | None = None

    def scored(self, scales: ScoreScales, *, mean: bool) -> ScoredEssays:
        """Return the essays with the nearest labels as scores.

        What is learnt is the first rater's score as it was given, or the mean of the raters.
        """
        learnt = self.mean if mean and self.mean is not None else self.first
        prompts = self.essays.prompts
        labels = scales.round(self.first, prompts)
        second = None if self.second is None else scales.round_known(self.second, prompts)
        softened = None if (learnt == labels).all() else scales.to_training(learnt, prompts)
        return ScoredEssays(
            self.essays,
            labels,
            scales,
            second,
            self.traits,
            self.writers,
            softened,
            self.weights,
        )


def mean_of_raters(scores: Sequence[FloatArray]) -> FloatArray:
    """Return each essay's mean over the raters that scored it, (n,): NaN counts for none."""
    every = np.column_stack(scores)
    known = np.isfinite(every)
    return np.where(known, every, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)  # type: ignore[no-any-return]


def merge_raters(ratings: Ratings, raters: Sequence[str], table: Table) -> Ratings:
    """Return one row for each essay of a table that has one for each essay and rater.

    Raters are in the order in which the table names them first. Rows of an id that differ in text,
    prompt or weight, or are of one rater, are faults of the table.
    """
    order = {name: at for at, name in enumerate(dict.fromkeys(raters))}
    rows_of: dict[str, list[int]] = {}
    for row, essay in enumerate(ratings.essays.ids):
        rows_of.setdefault(essay, []).append(row)
    _note_unlike(ratings, raters, rows_of.values(), table)
    groups = [sorted(rows, key=lambda row: order[raters[row]]) for rows in rows_of.values()]
    firsts = [min(rows) for rows in groups]
    _log.warning(
        "%s: %d rows of %d raters are %d essays; the first rater of each is measured against, the "
        "second is kept beside",
        table.path,
        len(raters),
        len(order),
        len(groups),
    )
    return Ratings(
        ratings.essays.take(firsts),
        np.array([ratings.first[rows[0]] for rows in groups]),
        np.array([ratings.first[rows[1]] if len(rows) > 1 else np.nan for rows in groups]),
        {name: np.array([_known_mean(values[rows]) for rows in groups])
         for name, values in ratings.traits.items()},
        {name: tuple(values[at] for at in firsts) for name, values in ratings.writers.items()},
        np.array([ratings.first[rows].mean() for rows in groups]),
        None if ratings.weights is None else ratings.weights[firsts],
    )  # fmt: skip


def _note_unlike(
    ratings: Ratings, raters: Sequence[str], groups: Iterable[list[int]], table: Table
) -> None:
    essays, weights = ratings.essays, ratings.weights
    for rows in groups:
        seen: dict[str, int] = {}
        for row in rows:
            earlier = table.rows[seen.setdefault(raters[row], row)].number
            if table.rows[row].number != earlier:
                what = f"the rater {shown(raters[row])} already scored this essay in row {earlier}"
                table.fault(row, what, "remove one of the two rows, or tell the raters apart")
            same = essays.prompts[row] == essays.prompts[rows[0]]
            if not same or text_hash(essays.texts[row]) != text_hash(essays.texts[rows[0]]):
                first = table.rows[rows[0]].number
                what = f"the essay has another text or prompt than row {first}, which has its id"
                table.fault(row, what, "give every essay an id of its own")
            if weights is not None and abs(weights[row] - weights[rows[0]]) > 0:
                first = table.rows[rows[0]].number
                what = f"the essay has another weight than in row {first}"
                table.fault(row, what, "give all rows of an essay one weight")


def _known_mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
