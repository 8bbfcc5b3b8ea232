"""Prediction intervals that adapt and hold for prompts never seen: conformal, by prompt and band.

A label y is kept for a prediction r where |y - r| is at most a limit, and the interval is from the
lowest label kept to the highest. One limit for all would cover on average only: predictions shrink
towards the middle, so errors are largest at the ends. The limit is that of the middle, plus a part
for each outer third of the scale that r lies in and for each tail that y lies in: a quantile
regression (Koenker and Bassett 1978) of out-of-fold errors on indicators of these, which makes the
coverage of the calibration essays the one asked for in each third and each band (Gibbs, Cherian and
Candes 2025, conformal prediction with conditional guarantees; by label, Vovk 2012).

Essays of one prompt share its difficulty, so they are not exchangeable with those of another, but
whole prompts are. As in hierarchical conformal prediction (Dunn, Wasserman and Ramdas 2023; Lee,
Barber and Willett 2023) each of K calibration prompts has the weight 1 / (K + 1), spread over its
essays, and the last 1 / (K + 1) lies at infinity: the prompt to come. Five fitted numbers, and
out-of-fold predictions of several scorers, make the level approximate, so what the intervals hold
is measured as well, each prompt left out in turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from essay_scoring.core.scale import (
    HIGH_TAIL,
    LOW_TAIL,
    TRAINING_WIDTH,
    FloatArray,
    IntArray,
    ScoreScale,
)
from essay_scoring.core.settings import Settings
from essay_scoring.statistics.counts import Mask
from essay_scoring.statistics.intervals import wilson_of_error
from essay_scoring.statistics.predictions import Predictions

MIN_GROUP = 30
"""Essays below which the coverage of a group of writers is not told."""

_THIRDS = ("lowest", "middle", "highest")
_BANDS = ("low tail", "middle", "high tail")
_ROUNDING = 1e-9
"""Weights such as 1/12 add up to a level only but for rounding."""

_STEP = TRAINING_WIDTH / 400
"""Errors are rounded up to whole steps, so that equal ones are counted and not listed."""

_TIED = 1e-7
"""A label whose error is a limit is kept although the limit was solved for, in training units."""


_Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Row = tuple[_Limit, _Limit, _Limit]


class PartCoverage(Settings):
    """How often intervals held for the essays of a part, each essay counting alike."""

    part: str
    n_essays: int
    share: float


class MeasuredCoverage(Settings):
    """How often intervals held when each prompt in turn was left out of their calibration.

    `estimate` is the mean over prompts, each counting alike, with its 95% interval (prompts as
    units); `share_of_essays` counts every essay alike, as `parts` do: thirds of the predictions,
    bands of the raters' scores, and groups of writers. `mean_width` is a share of the scale.
    """

    estimate: float
    low: float
    high: float
    share_of_essays: float
    mean_width: float
    n_prompts: int
    n_essays: int
    parts: tuple[PartCoverage, ...] = ()


class PredictionInterval(Settings):
    """The labels within a limit of the prediction, in training units: a scale is 4 of them wide.

    `limits` has a row for each third of the scale that the prediction may lie in, and a column for
    each band of labels: low tail, middle, high tail. None means the whole scale: with fewer than
    `fewest_prompts` no narrower interval has the coverage asked for.
    """

    schema_version: Literal[2] = 2
    method: Literal["conformal by third of the prediction and band of the label, prompts alike"] = (
        "conformal by third of the prediction and band of the label, prompts alike"
    )
    coverage: float = Field(gt=0, lt=1)
    limits: tuple[_Row, _Row, _Row] | None
    n_prompts: int
    n_essays: int
    fewest_prompts: int
    finding: str
    measured: MeasuredCoverage

    def around(self, raw: float, band: float, scale: ScoreScale) -> tuple[float, float]:
        """Return the lowest and the highest label of a prediction's interval; `band` is in it."""
        if self.limits is None:
            return scale.low, scale.high
        ends = labels_within(np.array(self.limits), np.array([raw]), np.array([band]), scale)
        return float(ends[0][0]), float(ends[1][0])


def labels_within(
    limits: FloatArray, raw: FloatArray, final: FloatArray, scale: ScoreScale
) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest label within `limits` (3, 3) of each raw prediction (n,).

    The label nearest to a prediction always counts, and so does its `final` score (n,).
    """
    labels, predicted = scale.to_training(scale.labels), scale.to_training(raw)
    apart = np.abs(predicted[:, None] - labels)
    allowed = limits[_thirds(predicted)][:, _bands(labels)]
    kept = apart <= np.maximum(allowed, apart.min(axis=1, keepdims=True)) + _TIED
    low = scale.labels[kept.argmax(axis=1)]
    high = scale.labels[len(labels) - 1 - kept[:, ::-1].argmax(axis=1)]
    return np.minimum(low, final), np.maximum(high, final)


def fit_interval(
    predictions: Predictions,
    groups: Sequence[str],
    coverage: float,
    writers: Mapping[str, Sequence[str]] | None = None,
) -> PredictionInterval:
    """Return the interval that out-of-fold predictions of held-out `groups` (n,) calibrate.

    `writers` are labels (n,) by column, "" where unknown: whose coverage is told.
    """
    calibration = _Calibration.of(predictions, groups)
    limits = calibration.limits(coverage)
    n_prompts, fewest = len(set(groups)), fewest_groups(coverage)
    finite = bool(np.isfinite(limits).all())
    return PredictionInterval.model_validate(
        {
            "coverage": coverage,
            "limits": tuple(map(tuple, limits.tolist())) if finite else None,
            "n_prompts": n_prompts,
            "n_essays": len(predictions),
            "fewest_prompts": fewest,
            "finding": _finding(finite, coverage, n_prompts, fewest),
            "measured": _measured(predictions, groups, coverage, writers or {}),
        }
    )


def fewest_groups(coverage: float) -> int:
    """Return the least K with K / (K + 1) >= coverage: 9 for 0.9."""
    return max(1, math.ceil(coverage / (1.0 - coverage) - _ROUNDING))


@dataclass(frozen=True, eq=False)
class _Calibration:
    """Predictions and scores in training units, and the number of each essay's group: (n,) each."""

    raw: FloatArray
    true: FloatArray
    groups: IntArray

    @classmethod
    def of(cls, predictions: Predictions, groups: Sequence[str]) -> _Calibration:
        raw, true = (
            predictions.scales.to_training(scores, predictions.prompts)
            for scores in (predictions.raw, predictions.true)
        )
        return cls(raw, true, np.unique(np.asarray(groups), return_inverse=True)[1])

    def without(self, rows: Mask) -> _Calibration:
        return _Calibration(self.raw[~rows], self.true[~rows], self.groups[~rows])

    def limits(self, coverage: float) -> FloatArray:
        """Return the limits (3, 3) that hold for `coverage` of the next prompt's essays.

        None is below the middle's: a part that few essays calibrate could be so by chance.
        """
        _, group, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        level = coverage * (len(sizes) + 1) / len(sizes) if len(sizes) else math.inf
        if level > 1 + _ROUNDING:
            return np.full((3, 3), np.inf)
        errors = np.ceil(np.abs(self.true - self.raw) / _STEP - _ROUNDING)
        rows = np.column_stack([_thirds(self.raw), _bands(self.true), errors])
        alike, of = np.unique(rows, axis=0, return_inverse=True)
        weights = np.bincount(of, (1 / sizes)[group]).astype(np.float64)
        design = _indicators(alike[:, 0], alike[:, 1])
        middle, *parts = quantile_regression(alike[:, 2] * _STEP, design, weights, level)
        added = _indicators(*np.divmod(np.arange(9), 3))[:, 1:] @ np.maximum(parts, 0.0)
        return np.asarray(max(middle, 0.0) + added).reshape(3, 3)


def quantile_regression(
    values: FloatArray, design: FloatArray, weights: FloatArray, level: float
) -> FloatArray:
    """Return coefficients (p,) with `level` of the weight of values (n,) at or below design @ them.

    Koenker and Bassett (1978), by the dual of their linear programme. A level of 1 is the envelope.
    """
    from scipy.optimize import linprog

    weights = weights / weights.mean()
    level = min(level, 1 - weights.min() / (2 * len(weights)))
    bounds = np.column_stack([(level - 1) * weights, level * weights])
    nothing = np.zeros(design.shape[1])
    solved = linprog(-values, A_eq=design.T, b_eq=nothing, bounds=bounds, method="highs")
    return np.asarray(-solved.eqlin.marginals, dtype=np.float64)


def _indicators(thirds: IntArray | FloatArray, bands: IntArray | FloatArray) -> FloatArray:
    """Return columns (n, 5): ones, the outer thirds of predictions, the tails of scores."""
    marks = [thirds == 0, thirds == 2, bands == 0, bands == 2]
    return np.column_stack([np.ones(len(thirds)), *marks]).astype(np.float64)


def _thirds(raw: FloatArray) -> IntArray:
    """Return 0, 1 or 2 for predictions in training units: the third of the scale they lie in."""
    return np.digitize(raw, [TRAINING_WIDTH / 3, TRAINING_WIDTH * 2 / 3])


def _bands(true: FloatArray) -> IntArray:
    """Return 0, 1 or 2 for scores in training units: low tail, middle, high tail."""
    share = true / TRAINING_WIDTH
    high = share >= HIGH_TAIL - _ROUNDING
    return np.where(share <= LOW_TAIL + _ROUNDING, 0, np.where(high, 2, 1))


def held_out_intervals(
    predictions: Predictions, groups: Sequence[str], coverage: float
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of each essay's interval as all other groups calibrate it, (n,) each.

    Both are in training units.
    """
    calibration, rows = _Calibration.of(predictions, groups), np.arange(len(predictions))
    low, high = np.empty(len(rows)), np.empty(len(rows))
    for number in np.unique(calibration.groups):
        mine = calibration.groups == number
        limits = calibration.without(mine).limits(coverage)
        prompts = [predictions.prompts[row] for row in rows[mine]]
        for scale, places in predictions.scales.for_prompts(prompts).items():
            at = rows[mine][places]
            ends = labels_within(limits, predictions.raw[at], predictions.final[at], scale)
            low[at], high[at] = map(scale.to_training, ends)
    return low, high


def _measured(
    predictions: Predictions,
    groups: Sequence[str],
    coverage: float,
    writers: Mapping[str, Sequence[str]],
) -> MeasuredCoverage:
    """Return how often each group's scores lie within what all other groups calibrate."""
    calibration = _Calibration.of(predictions, groups)
    low, high = held_out_intervals(predictions, groups, coverage)
    held = (low <= calibration.true + _TIED) & (calibration.true <= high + _TIED)
    numbers = np.unique(calibration.groups)
    shares = np.array([held[calibration.groups == number].mean() for number in numbers])
    low_end, high_end = _mean_share(shares, len(held))
    return MeasuredCoverage(
        estimate=float(shares.mean()),
        low=low_end,
        high=high_end,
        share_of_essays=float(held.mean()),
        mean_width=float((high - low).mean() / TRAINING_WIDTH),
        n_prompts=len(numbers),
        n_essays=len(held),
        parts=tuple(
            PartCoverage(part=part, n_essays=int(rows.sum()), share=float(held[rows].mean()))
            for part, rows in _parts(calibration, writers)
            if rows.any()
        ),
    )


def _mean_share(shares: FloatArray, n: int) -> tuple[float, float]:
    """Return the interval of the mean of prompts' shares of `n` essays, prompts as units."""
    k = len(shares)
    if k < 2:
        return 0.0, 1.0
    error = float(shares.std(ddof=1)) / math.sqrt(k)
    return wilson_of_error(float(shares.mean()), error, n, k - 1)


def _parts(
    calibration: _Calibration, writers: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Mask]]:
    """Yield the name and the essays (n,) of each part whose coverage is told."""
    thirds = _thirds(calibration.raw)
    for number, name in enumerate(_THIRDS):
        yield f"prediction: {name} third of the scale", thirds == number
    bands = _bands(calibration.true)
    for number, name in enumerate(_BANDS):
        yield f"raters' score: {name}", bands == number
    for column, labels in writers.items():
        values = np.asarray(labels, dtype=object)
        for label in sorted({label for label in labels if label}):
            members = np.asarray(values == label, dtype=bool)
            if members.sum() >= MIN_GROUP:
                yield f"{column}: {label}", members


def _finding(finite: bool, coverage: float, n_prompts: int, fewest: int) -> str:
    if finite:
        return f"calibrated on {n_prompts} held-out prompts for a coverage of {coverage:g}"
    return (
        f"{n_prompts} prompts are too few for a coverage of {coverage:g}, which takes {fewest}: "
        "every interval is the whole scale"
    )
