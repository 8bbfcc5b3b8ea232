"""Linear linking by hand arithmetic, and what its noise adds to an interval."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.models.mapping import mapped_anew
from essay_scoring.statistics import metrics
from essay_scoring.statistics.bootstrap import draw_prompts
from essay_scoring.statistics.linking import (
    FEWEST_ESSAYS,
    Linking,
    fit_linking,
    linked_anew,
    linked_scores,
    prompt_moments,
)
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.run_intervals import REFITS, jackknifed_figures

from .made import made_predictions

FIVE = ScoreScale(low=0, high=4)  # Its points are those of the training scale.
LN2 = math.log(2)


def halves(low: float, high: float) -> list[float]:
    """Return ten values: the mean is midway, the deviation half their distance."""
    return [low] * 5 + [high] * 5


def linking_of(scales: ScoreScales, **prompts: tuple[list[float], list[float]]) -> Linking:
    """Return the linking of prompts, each with its raw predictions and true scores."""
    names = [name for name, (raw, _) in prompts.items() for _ in raw]
    raw, true = (np.concatenate([pair[side] for pair in prompts.values()]) for side in (0, 1))
    return fit_linking(prompt_moments(raw, true, names, scales))


def test_the_line_takes_the_usual_prediction_to_the_usual_score() -> None:
    of = linking_of(
        ScoreScales(shared=FIVE),
        a=(halves(1.5, 2.5), halves(1, 3)),  # Means 2 and 2, deviations 0.5 and 1.
        b=(halves(2.0, 3.0), halves(0, 4)),  # Means 2.5 and 2, deviations 0.5 and 2.
    )
    assert (of.true_mean, of.raw_mean, of.raw_spread, of.slope) == (2.0, 2.25, 0.5, 0.0)
    assert of.spread_on(FIVE) == pytest.approx(math.sqrt(2))
    # 2 + 2.83 * (raw - 2.25): 1.29, 2, 2.99, 4.12.
    np.testing.assert_array_equal(of.scores(np.array([2.0, 2.25, 2.6, 3.0]), FIVE), [1, 2, 3, 4])


def test_spread_falls_with_the_steps_of_the_scale_by_a_shrunken_slope() -> None:
    scales = ScoreScales(by_prompt={"two": ScoreScale(low=0, high=2), "eight": _up_to(8)})
    raw = halves(0.5, 1.0)
    of = linking_of(
        scales,
        two=(raw, halves(0.5, 1.5)),  # Deviation 0.5 of 2: 1 on the training scale.
        eight=(raw, halves(3, 5)),  # 1 of 8: a half.
    )
    # Logs of steps lie ln 2 on either side of ln 4, those of spreads ln 2 / 2 around -ln 2 / 2.
    assert of.log_steps == pytest.approx(2 * LN2)
    assert of.slope == pytest.approx(-(LN2**2) / (2 * LN2**2 + 1))
    assert of.spread_on(_up_to(4)) == pytest.approx(math.sqrt(0.5))
    assert of.spread_on(_up_to(8)) == pytest.approx(math.sqrt(0.5) * 2**of.slope)


def test_by_prompt_matches_the_predictions_that_come_together() -> None:
    of = linking_of(ScoreScales(shared=FIVE), a=(halves(1.5, 2.5), halves(1, 3)))
    scales, prompts = ScoreScales(shared=FIVE), ["x"] * 10 + ["y"] * 10
    raw = np.array(halves(0.2, 0.4) + halves(3.0, 3.1))
    matched = linked_scores(of, raw, prompts, scales, by_prompt=True)
    np.testing.assert_array_equal(matched, halves(1, 3) * 2)  # Mean 2, deviation 1, on either.
    usual = linked_scores(of, raw, prompts, scales, by_prompt=False)
    np.testing.assert_array_equal(usual, [0] * 10 + [4] * 10)
    few = linked_scores(of, raw[: FEWEST_ESSAYS - 1], prompts[:9], scales, by_prompt=True)
    np.testing.assert_array_equal(few, [0] * 9)  # Too few to know what this prompt is like.


def test_predictions_that_are_all_alike_get_the_usual_mean() -> None:
    of = linking_of(ScoreScales(shared=FIVE), a=([1.0] * 10, halves(1, 3)))
    np.testing.assert_array_equal(of.scores(np.array([0.0, 4.0]), FIVE), [2, 2])


def test_prompts_of_few_essays_teach_nothing() -> None:
    with pytest.raises(InputError, match="10 essays"):
        linking_of(ScoreScales(shared=FIVE), a=([1.0, 2.0], [1, 2]), b=([1.0] * 10, [2] * 10))


def test_drawn_prompts_fit_the_linking_again() -> None:
    run = _linked()
    alike, one = linked_anew(run, np.array([np.ones(4), [0.0, 0.0, 2.0, 1.0]]))
    np.testing.assert_array_equal(alike, run.final)
    held = run.folds == 0  # p00 alone; 4 / 3 and 2 / 3 of the weight lie on p02 and p03.
    scored = run.true, run.raw
    moments = [_moments(of, run, name) for of in scored for name in ("p02", "p03")]
    (m2, s2), (m3, s3), (a2, u2), (a3, u3) = moments
    spread = s2 ** (2 / 3) * s3 ** (1 / 3)
    gain = spread / math.sqrt((2 * u2**2 + u3**2) / 3)
    value = (2 * m2 + m3) / 3 + gain * (run.raw[held] - (2 * a2 + a3) / 3)
    np.testing.assert_array_equal(one[held], FIVE.round(value))


def test_the_noise_of_a_linking_is_the_variance_over_drawn_prompts() -> None:
    run = _linked()
    more, fixed = (
        jackknifed_figures(of, min_prompt_n=10, bottom_k=2, seed=5)["qwk"].more
        for of in (run, replace(run, refit=None))
    )
    drawn = draw_prompts(4, REFITS, 5).astype(np.float64)
    finals = linked_anew(run, drawn)
    kappas = [metrics.qwk(FIVE.index(run.true), FIVE.index(final), 5) for final in finals]
    assert more == pytest.approx(np.var(np.array(kappas, dtype=np.float64)))
    assert (more > 0, fixed) == (True, 0.0)


def _up_to(high: float) -> ScoreScale:
    return ScoreScale(low=0, high=high)


def _linked() -> Predictions:
    """Return a run of four prompts, a fold each, linked by the others."""
    run = made_predictions(400, n_prompts=4, n_folds=4, scales=ScoreScales(shared=FIVE))
    return mapped_anew(replace(run, refit="mean_sigma_lfo"))


def _moments(values: FloatArray, run: Predictions, prompt: str) -> tuple[float, float]:
    part = values[np.array(run.prompts) == prompt]
    return float(part.mean()), float(part.std())
