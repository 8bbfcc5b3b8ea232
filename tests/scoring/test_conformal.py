from __future__ import annotations

import math

import numpy as np
import pytest

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.scoring.conformal import (
    PredictionInterval,
    fewest_groups,
    fit_interval,
    half_width,
    measure_coverage,
)
from essay_scoring.statistics.predictions import Predictions

ERRORS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])
GROUPS = np.array([0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        # K = 3: an error weighs 1/4 over the size of its group, 1/12 in group 0, 1/8 in group 1,
        # 1/4 in group 2. Sums: 1/12, 2/12, 3/12, 0.375, 0.5, 0.75; the last 1/4 is at infinity.
        (0.25, 0.3),
        (0.26, 0.4),
        (0.5, 0.5),
        (0.75, 0.9),
        (0.76, math.inf),
    ],
)
def test_the_width_by_hand(coverage: float, expected: float) -> None:
    assert half_width(ERRORS, GROUPS, coverage) == expected


def test_order_and_labels_of_groups_do_not_matter() -> None:
    turned = np.array([5, 3, 1, 0, 4, 2])
    assert half_width(ERRORS[turned], 7 - GROUPS[turned], 0.5) == 0.5


@pytest.mark.parametrize(
    ("coverage", "fewest"), [(0.9, 9), (0.8, 4), (0.5, 1), (0.95, 19), (0.99, 99)]
)
def test_fewest_prompts_for_a_level(coverage: float, fewest: int) -> None:
    assert fewest_groups(coverage) == fewest
    errors = np.arange(1.0, fewest + 1)
    assert half_width(errors, np.arange(fewest), coverage) == fewest
    assert half_width(errors[1:], np.arange(fewest - 1), coverage) == math.inf


def test_measured_coverage_by_hand() -> None:
    # Groups of one essay with errors 1, 2, 3 at 0.5. Of two others the weights are 1/3 each, so
    # the second error reaches 2/3 >= 0.5: widths 3, 3 and 2. Covered: 1 and 2, not 3.
    measured = measure_coverage(np.array([1.0, 2.0, 3.0]), np.arange(3), 0.5)
    assert measured.estimate == pytest.approx(2 / 3)
    assert measured.share_of_essays == pytest.approx(2 / 3)
    assert (measured.n_prompts, measured.n_essays) == (3, 3)
    # deviation 0.57735, error 1/3, t(0.975, 2) = 4.3027: 2/3 +- 1.434, cut to 0 and 1.
    assert (measured.low, measured.high) == (0.0, 1.0)


def draw(rng: np.random.Generator, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return errors of groups of unequal size, each with a difficulty of its own."""
    sizes = rng.integers(2, 60, n_groups)
    groups = np.repeat(np.arange(n_groups), sizes)
    return np.abs(rng.normal(size=n_groups)[groups] + 0.5 * rng.normal(size=len(groups))), groups


@pytest.mark.parametrize(("n_groups", "coverage"), [(12, 0.8), (25, 0.9)])
def test_simulated_prompts_that_were_never_seen_are_covered(n_groups: int, coverage: float) -> None:
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(400):
        errors, groups = draw(rng, n_groups + 1)
        new = groups == n_groups
        shares.append(np.mean(errors[new] <= half_width(errors[~new], groups[~new], coverage)))
    error = np.std(shares) / math.sqrt(len(shares))
    # At least the level, and by the theory at most 1 / (K + 1) and an essay's weight above it.
    assert np.mean(shares) >= coverage - 2.5 * error
    assert np.mean(shares) <= coverage + 2 / (n_groups + 1) + 2.5 * error


def predictions(scales: ScoreScales, prompts: list[str], errors: list[float]) -> Predictions:
    true = np.full(len(prompts), 3.0)
    raw = true + np.array(errors)
    names = tuple(f"e{row}" for row in range(len(prompts)))
    folds = np.zeros(len(prompts), dtype=np.int64)
    return Predictions(names, tuple(prompts), folds, true, raw, true, scales)


def test_each_scale_gets_its_own_width() -> None:
    scales = ScoreScales(
        by_prompt={"a": ScoreScale(low=1, high=5), "b": ScoreScale(low=0, high=60)}
    )
    # In training units, 4 a scale: an error of 1 on 1-5 is 1; an error of 30 on 0-60 is 2.
    interval = fit_interval(predictions(scales, ["a", "b"], [1.0, 30.0]), ["a", "b"], 0.6)
    assert interval.half_width == pytest.approx(2.0)
    assert interval.half_width_in_scores is None
    assert interval.around(3.0, 1, 5) == (1.0, 5.0)
    assert interval.around(20.0, 0, 60) == (0.0, 50.0)


def test_too_few_prompts_say_so_and_give_the_whole_scale() -> None:
    scales = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))
    interval = fit_interval(predictions(scales, ["a", "b"], [0.1, 0.2]), ["a", "b"], 0.9)
    assert interval.half_width is None
    assert "2 prompts are too few for a coverage of 0.9, which takes 9" in interval.finding
    assert interval.around(2.2, 1, 5) == (1, 5)
    assert PredictionInterval.model_validate_json(interval.model_dump_json()) == interval


def test_intervals_stay_on_the_scale() -> None:
    scales = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))
    interval = fit_interval(predictions(scales, ["a", "b"], [0.5, 0.25]), ["a", "b"], 0.6)
    assert interval.half_width_in_scores == 0.5
    assert interval.around(5.3, 1, 5) == (4.8, 5)
    assert interval.around(7.0, 1, 5) == (5, 5)
    assert interval.around(0.9, 1, 5) == (1, 1.4)
