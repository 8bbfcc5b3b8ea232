from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.statistics import agreement, slices
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import HALVES, made_predictions, of_scores


def kappa(predictions: Predictions) -> float | None:
    return agreement.overall(predictions)["qwk"].estimate


def of_n(value: float | None, n: int) -> agreement.Estimate:
    return agreement.Estimate(estimate=value, low=None, high=None, n=n)


def test_overall_figures_by_hand() -> None:
    # Errors 0, +0.5, -1, 0 on scores 2, 2, 4, 3: low tail the first two, high tail the third.
    found = agreement.overall(of_scores([2, 2, 4, 3], [2, 2.5, 3, 3]))
    assert found["mae"].estimate == pytest.approx(1.5 / 4)
    assert found["rmse"].estimate == pytest.approx(np.sqrt(1.25 / 4))
    assert (found["exact"].estimate, found["adjacent"].estimate) == (0.5, 0.75)
    assert found["low_tail_adjacent"] == of_n(1.0, 2)
    assert found["high_tail_adjacent"] == of_n(0.0, 1)
    assert list(found) == list(agreement.METRICS)


def test_overall_kappa_uses_all_labels_of_the_scale() -> None:
    predictions = made_predictions(200, noise=0.7)
    steps = [np.round((v - 1) / 0.5).astype(int) for v in (predictions.true, predictions.final)]
    oracle = cohen_kappa_score(*steps, labels=range(9), weights="quadratic")
    assert kappa(predictions) == pytest.approx(oracle, abs=1e-12)


def test_a_slice_with_a_missing_band_keeps_its_distances() -> None:
    # Labels 1, 1.5 and 2.5 occur, 2 does not: sum(w * observed) = 2 * 4; see test_metrics.
    found = kappa(of_scores([1, 1.5, 2.5, 2.5], [1, 2.5, 1.5, 2.5]))
    assert found == pytest.approx(1 - 32 / 54)


def test_an_empty_tail_has_no_figure() -> None:
    found = agreement.overall(of_scores([3, 3, 2.5], [3, 2.5, 3]))
    assert found["low_tail_adjacent"] == of_n(None, 0)
    assert found["high_tail_adjacent"] == of_n(None, 0)


def test_nothing_at_all_has_no_figures() -> None:
    found = agreement.overall(of_scores([], []))
    assert {figure.estimate for figure in found.values()} == {None}
    assert slices.by_fold(of_scores([], [])) == []


def test_scales_that_differ_are_averaged_by_their_essays() -> None:
    scales = ScoreScales(
        by_prompt={"a": ScoreScale(low=0, high=3), "b": ScoreScale(low=0, high=60)}
    )
    # On `a` kappa is 1 (3 essays); on `b`, 0 and 60 swapped, it is -1 (2 essays).
    predictions = of_scores([0, 1, 3, 0, 60], [0, 1, 3, 60, 0], prompts="aaabb", scales=scales)
    assert kappa(predictions) == pytest.approx((3 * 1 + 2 * -1) / 5)


def test_errors_on_scales_that_differ_are_shares_of_one_common_scale() -> None:
    scales = ScoreScales(
        by_prompt={"a": ScoreScale(low=0, high=4), "b": ScoreScale(low=0, high=60)}
    )
    predictions = of_scores([1, 30], [2, 45], prompts="ab", scales=scales)
    found = agreement.overall(predictions)
    assert found["mae"].estimate == pytest.approx(1.0)  # 1 of 4, and 15 of 60 = 1 of 4
    assert found["adjacent"].estimate == pytest.approx(0.5)  # one step, and fifteen
    assert "common scale from 0 to 4" in agreement.unit(predictions)
    assert agreement.unit(of_scores([1], [1])) == "score points"


def test_equal_shares_of_different_scales_tie_in_ranks() -> None:
    scales = ScoreScales(
        by_prompt={"a": ScoreScale(low=0, high=3), "b": ScoreScale(low=0, high=60)}
    )
    predictions = of_scores([1, 20, 3, 2], [1, 20, 3, 2], prompts="abaa", scales=scales)
    true, final, _ = agreement.common_values(predictions)
    assert true[0] == true[1]
    assert final[0] == final[1]


def test_prompts_are_large_or_only_counted() -> None:
    predictions = of_scores([2, 3, 4, 2], [2, 3, 3, 3], prompts=["x", "x", "x", "y"])
    large, small = slices.by_prompt(predictions, 2)
    assert [row.prompt for row in large] == ["x"]
    assert large[0].mean_residual == pytest.approx(-1 / 3)
    assert large[0].mae == pytest.approx(1 / 3)
    assert large[0].adjacent == pytest.approx(2 / 3)  # one is off by two half steps
    assert small == [slices.SmallPrompt(prompt="y", n=1)]


def test_every_band_is_listed_and_empty_ones_have_no_figures() -> None:
    rows = slices.by_band(of_scores([2, 2, 4], [2.5, 3, 4]))
    assert [float(row.band) for row in rows] == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert rows[2] == slices.Band(band="2", n=2, mae=0.75, mean_residual=0.75, adjacent=0.5)
    assert rows[0] == slices.Band(band="1", n=0, mae=None, mean_residual=None, adjacent=None)


def test_bands_of_predicted_scores_tell_what_a_prediction_means() -> None:
    rows = slices.by_predicted_band(of_scores([2, 3, 4], [3, 3, 4]))
    three = next(row for row in rows if row.band == "3")
    assert (three.n, three.mean_true, three.mean_final) == (2, 2.5, 3.0)
    assert next(row for row in rows if row.band == "1").mean_true is None


def test_a_long_scale_has_five_bands() -> None:
    scales = ScoreScales(shared=ScoreScale(low=0, high=60))
    rows = slices.by_band(of_scores([0, 30, 60], [0, 30, 60], scales=scales))
    assert [row.n for row in rows] == [1, 0, 1, 0, 1]
    assert rows[0].band == "0-20% of the scale"


def test_folds_are_in_order_with_their_own_figures() -> None:
    predictions = of_scores([2, 3, 2, 3], [2, 3, 3, 2], folds=[1, 1, 0, 0])
    rows = slices.by_fold(predictions)
    assert [(row.fold, row.n, row.qwk) for row in rows] == [(0, 2, -1.0), (1, 2, 1.0)]


def test_raw_correlations_are_of_raw_predictions() -> None:
    predictions = replace(made_predictions(50), raw=made_predictions(50).true * 2 + 1)
    found = agreement.overall(predictions)
    assert found["pearson_raw"].estimate == pytest.approx(1.0)
    assert found["spearman_raw"].estimate == pytest.approx(1.0)
    assert HALVES.shared is not None
    assert found["pearson"].estimate is not None
    assert found["pearson"].estimate < 0.99
