"""What most audits look at: a run's predictions with what is known of each essay, no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from essay_scoring.audits.resamples import Limit, Resamples, Statistic, judged
from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale
from essay_scoring.records.audit_record import Figure
from essay_scoring.statistics import weighted
from essay_scoring.statistics.agreement import Estimate, common_values
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.predictions import Predictions

MIN_GROUP = 30
"""Essays below which a group is named and not judged: its figures would be noise."""


@dataclass(frozen=True, eq=False)
class Group:
    """The essays, `members` (n,), of writers that share a label of a column."""

    column: str
    label: str
    members: Mask

    @property
    def n(self) -> int:
        """How many essays there are."""
        return int(self.members.sum())

    @property
    def name(self) -> str:
        """Column and label, for people."""
        return f"{self.column}: {self.label}"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Predictions of n essays, words (n,), group labels by column, and a second rater's scores.

    `second_scores` (n,) lie on each essay's own scale, NaN where the second rater gave none. Labels
    are "" where unknown. `recorded` are the run's own figures over all essays.
    """

    predictions: Predictions
    resamples: Resamples
    words: FloatArray
    writers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    second_scores: FloatArray | None = None
    recorded: Mapping[str, Estimate] = field(default_factory=dict)

    @cached_property
    def common(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """True, final and raw scores in one unit, each (n,)."""
        return common_values(self.predictions)

    @cached_property
    def scale_of(self) -> IntArray:
        """The number of each essay's score scale, (n,)."""
        out = np.empty(len(self.predictions), dtype=np.int64)
        for number, rows in enumerate(self._scales.values()):
            out[rows] = number
        return out

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Every known group of every column, the largest of a column first."""
        found = []
        for column, labels in self.writers.items():
            values = np.asarray(labels, dtype=object)
            sizes = Counter(label for label in labels if label)
            for label, _ in sorted(sizes.items(), key=lambda one: (-one[1], one[0])):
                found.append(Group(column, label, np.asarray(values == label, dtype=bool)))
        return tuple(found)

    def large_groups(self) -> dict[str, list[Group]]:
        """Return the groups of MIN_GROUP essays or more by column, the largest first."""
        out: dict[str, list[Group]] = {}
        for group in self.groups:
            if group.n >= MIN_GROUP:
                out.setdefault(group.column, []).append(group)
        return out

    def positions(self, scores: FloatArray) -> FloatArray:
        """Return the places of scores (n,) on each essay's full label list, NaN where missing."""
        out = np.full(len(scores), np.nan)
        for scale, rows in self._scales.items():
            known = rows[np.isfinite(scores[rows])]
            out[known] = scale.index(scores[known])
        return out

    def overall(
        self, name: str, key: str, statistic: Statistic, limit: Limit | None = None
    ) -> Figure:
        """Return a figure over all essays as the run recorded it, so that it has one interval."""
        told = self.recorded.get(key)
        if told is None:
            return self.resamples.figure(name, statistic, limit=limit)
        figure = Figure(name, "", told.estimate, told.n, told.low, told.high)
        return figure if limit is None else judged(figure, limit)

    def qwk(self, weights: FloatArray) -> FloatArray:
        """Return QWK of final scores under weights (R, n), shape (R,)."""
        true, final = self._label_positions
        return weighted.qwk(weights, true, final, self.scale_of)

    def ac2(self, weights: FloatArray, scores: FloatArray) -> FloatArray:
        """Return AC2 of true scores and `scores` (n,), own scale, under weights (R, n): (R,)."""
        true = self._label_positions[0].astype(np.int64)
        sizes = np.array([scale.n_labels for scale in self._scales], dtype=np.int64)
        other = self.positions(scores).astype(np.int64)
        return weighted.ac2(weights, true, other, self.scale_of, sizes)

    @cached_property
    def _label_positions(self) -> tuple[FloatArray, FloatArray]:
        return self.positions(self.predictions.true), self.positions(self.predictions.final)

    @cached_property
    def _scales(self) -> dict[ScoreScale, IntArray]:
        return self.predictions.scales.for_prompts(self.predictions.prompts)
