"""A linear probe: how well the prompt of an essay can be told from numbers about the essay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.record import Record, Share
from essay_scoring.core.scale import IntArray
from essay_scoring.statistics.intervals import wilson

Values = npt.NDArray[np.floating[Any]]

N_FOLDS = 5
"""Folds of the probe's own cross-validation; a class with fewer essays is left out."""

_ALPHAS = tuple(10.0**power for power in range(-1, 6))


class Probe(Record):
    """How well prompts are told apart, on essays that the probe was not fitted on.

    Null where there were not two prompts with N_FOLDS essays each.
    """

    accuracy: Share | None = Field(description="share told right")
    low: float | None = Field(description="lower end of its 95% interval")
    high: float | None = Field(description="upper end")
    n: int = Field(description="essays")
    majority: Share | None = Field(description="share of the largest prompt")
    classes: int = Field(description="prompts")


def probe(values: Values, labels: Sequence[str], seed: int) -> Probe:
    """Return how well a linear classifier names the labels (n,) from the values (n, d).

    The classifier is ridge regression on class indicators, each column standardised and the
    strength chosen (by leave-one-out error) on the training part of every fold: the probe asks
    what is there linearly (Alain and Bengio 2016), so it must overfit neither few essays nor many
    columns. The interval is Wilson's (1927). Raises NotFiniteError for a value that is no number.
    """
    return pooled([probe_counts(values, labels, seed)])


@dataclass(frozen=True)
class Counts:
    """What probes add up to: essays named right, essays, and what the majority gets right."""

    right: int
    n: int
    majority: int
    classes: int


def probe_counts(values: Values, labels: Sequence[str], seed: int) -> Counts:
    """Return the counts of one probe, for `pooled`; all zero where there are not two classes."""
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise NotFiniteError("a probed value is not a finite number", where=f"row {bad[0]}")
    kept, target = _large_classes(labels)
    sizes = np.bincount(target)
    if len(sizes) < 2:
        return Counts(0, 0, 0, 0)
    named = _named(np.asarray(values, dtype=np.float64)[kept], target, seed)
    return Counts(int((named == target).sum()), len(target), int(sizes.max()), len(sizes))


def pooled(parts: Sequence[Counts]) -> Probe:
    """Return one probe of several, each among essays and prompts of its own.

    `classes` is their mean over the essays, rounded: what chance has to choose from.
    """
    n, right = sum(part.n for part in parts), sum(part.right for part in parts)
    if not n:
        return Probe(accuracy=None, low=None, high=None, n=0, majority=None, classes=0)
    low, high = wilson(right / n, n)
    return Probe(
        accuracy=right / n,
        low=low,
        high=high,
        n=n,
        majority=sum(part.majority for part in parts) / n,
        classes=round(sum(part.classes * part.n for part in parts) / n),
    )


def _large_classes(labels: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Return the rows whose class has N_FOLDS essays or more, and their classes numbered."""
    _, numbers, sizes = np.unique(
        np.asarray(labels, dtype=object), return_inverse=True, return_counts=True
    )
    kept = np.flatnonzero(sizes[numbers] >= N_FOLDS)
    return kept, np.unique(numbers[kept], return_inverse=True)[1]


def _named(values: Values, target: IntArray, seed: int) -> IntArray:
    """Return the class that a model which never saw the essay names for each, shape (n,)."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    named = np.empty_like(target)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    for train, held_out in folds.split(values, target):
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(_ALPHAS))
        named[held_out] = model.fit(values[train], target[train]).predict(values[held_out])
    return named
