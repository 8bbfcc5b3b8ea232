"""Prediction intervals that hold for prompts never seen: conformal, grouped by prompt.

Essays of one prompt share its difficulty, so they are not exchangeable with those of another, but
whole prompts are. Hierarchical conformal prediction (Dunn, Wasserman and Ramdas 2023, pooled
distributions; Lee, Barber and Willett 2023) gives each of K calibration prompts the weight
1 / (K + 1), spread over its essays, and the last 1 / (K + 1) to infinity: the prompt to come.
The level is then exact for a scorer that saw none of the calibration prompts. Out-of-fold
predictions are of several such scorers, each fitted on fewer prompts than the one in use, so what
the intervals hold is measured as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray, IntArray
from essay_scoring.core.settings import Settings
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.student import mean_interval

_ROUNDING = 1e-9
"""Weights such as 1/12 add up to a level only but for rounding."""


class MeasuredCoverage(Settings):
    """How often intervals held when each prompt in turn was left out of their calibration.

    `estimate` is the mean over prompts, each counting alike, with its 95% interval (t, over
    prompts); `share_of_essays` counts every essay alike.
    """

    estimate: float
    low: float
    high: float
    share_of_essays: float
    n_prompts: int
    n_essays: int


class PredictionInterval(Settings):
    """Raw prediction plus or minus `half_width`, in training units: a scale is 4 of them wide.

    None means the whole scale: with fewer than `fewest_prompts` no narrower interval has the
    coverage asked for. `half_width_in_scores` says the same on a scale that all prompts share.
    """

    schema_version: Literal[1] = 1
    method: Literal["hierarchical conformal, prompts weighted alike"] = (
        "hierarchical conformal, prompts weighted alike"
    )
    coverage: float = Field(gt=0, lt=1)
    half_width: float | None = Field(ge=0)
    half_width_in_scores: float | None = Field(default=None, ge=0)
    n_prompts: int
    n_essays: int
    fewest_prompts: int
    finding: str
    measured: MeasuredCoverage

    def around(self, raw: float, low: float, high: float) -> tuple[float, float]:
        """Return the interval of a raw prediction on a scale from `low` to `high`, within it."""
        if self.half_width is None:
            return low, high
        reach = self.half_width * (high - low) / TRAINING_WIDTH
        return min(max(raw - reach, low), high), min(max(raw + reach, low), high)


def fit_interval(
    predictions: Predictions, groups: Sequence[str], coverage: float
) -> PredictionInterval:
    """Return the interval that out-of-fold predictions of held-out `groups` (n,) calibrate."""
    prompts, scales = predictions.prompts, predictions.scales
    raw = scales.to_training(predictions.raw, prompts)
    errors = np.abs(scales.to_training(predictions.true, prompts) - raw)
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    width = half_width(errors, numbers, coverage)
    n_prompts, fewest = int(numbers.max()) + 1, fewest_groups(coverage)
    shared = scales.shared
    in_scores = None
    if shared is not None and math.isfinite(width):
        in_scores = width * (shared.high - shared.low) / TRAINING_WIDTH
    return PredictionInterval(
        coverage=coverage,
        half_width=width if math.isfinite(width) else None,
        half_width_in_scores=in_scores,
        n_prompts=n_prompts,
        n_essays=len(predictions),
        fewest_prompts=fewest,
        finding=_finding(width, coverage, n_prompts, fewest),
        measured=measure_coverage(errors, numbers, coverage),
    )


def half_width(errors: FloatArray, groups: IntArray, coverage: float) -> float:
    """Return the least width q whose weight of errors <= q reaches `coverage`, else infinity.

    `errors` (n,) are absolute; an error of a group of m has the weight 1 / (m (K + 1)).
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(errors, kind="stable")
    weights = 1.0 / (sizes[group[order]] * (len(sizes) + 1))
    reached = np.cumsum(weights) >= coverage - _ROUNDING
    return float(errors[order[reached.argmax()]]) if reached.any() else math.inf


def fewest_groups(coverage: float) -> int:
    """Return the least K with K / (K + 1) >= coverage: 9 for 0.9."""
    return max(1, math.ceil(coverage / (1.0 - coverage) - _ROUNDING))


def measure_coverage(errors: FloatArray, groups: IntArray, coverage: float) -> MeasuredCoverage:
    """Return how often each group lies within the width that all other groups calibrate."""
    covered = np.zeros(len(errors), dtype=bool)
    numbers = np.unique(groups)
    for number in numbers:
        mine = groups == number
        # One group alone leaves nothing to calibrate by: the whole scale, which always holds.
        width = math.inf if mine.all() else half_width(errors[~mine], groups[~mine], coverage)
        covered[mine] = errors[mine] <= width
    shares = np.array([covered[groups == number].mean() for number in numbers])
    low, high = mean_interval(shares)
    return MeasuredCoverage(
        estimate=float(shares.mean()),
        low=0.0 if low is None else max(0.0, low),
        high=1.0 if high is None else min(1.0, high),
        share_of_essays=float(covered.mean()),
        n_prompts=len(numbers),
        n_essays=len(errors),
    )


def _finding(width: float, coverage: float, n_prompts: int, fewest: int) -> str:
    if math.isfinite(width):
        return f"calibrated on {n_prompts} held-out prompts for a coverage of {coverage:g}"
    return (
        f"{n_prompts} prompts are too few for a coverage of {coverage:g}, which takes {fewest}: "
        "every interval is the whole scale"
    )
