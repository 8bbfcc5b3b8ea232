from __future__ import annotations

import json

import numpy as np
import pytest

from essay_scoring.statistics import agreement
from essay_scoring.statistics.slices import SmallPrompt
from essay_scoring.statistics.summary import (
    CovariateCorrelation,
    OverFolds,
    covariates,
    mapping_figures,
    summarise,
)
from tests.statistics.made import MIXED, bounds, given, made_predictions, of_scores


def test_a_summary_is_strict_json_and_repeats_itself() -> None:
    first, second = (summarise(made_predictions(), replicates=50) for _ in range(2))
    assert json.dumps(first.model_dump(), allow_nan=False) == json.dumps(
        second.model_dump(), allow_nan=False
    )


def test_the_order_of_essays_changes_nothing() -> None:
    predictions = made_predictions()
    turned = predictions.take(np.arange(len(predictions))[::-1])
    one, other = (summarise(p, replicates=50).overall for p in (predictions, turned))
    for name, row in one.items():
        assert (row.low, row.high) == (other[name].low, other[name].high)


def test_every_overall_figure_lies_in_its_interval_and_has_its_n() -> None:
    predictions = made_predictions(400, n_prompts=12)
    found = summarise(predictions, replicates=400).overall
    assert list(found) == list(agreement.METRICS)
    for name, row in found.items():
        low, high = bounds(row)
        assert low < given(row.estimate) < high, name
    low_tail = int((predictions.true <= 2.0).sum())
    assert found["low_tail_adjacent"].n == low_tail < found["qwk"].n == 400


def test_more_essays_in_a_prompt_give_a_narrower_interval() -> None:
    big, small = made_predictions(900, n_prompts=2, n_folds=2), made_predictions(120, n_prompts=2)
    widths = []
    for predictions in (big, small):
        rows = summarise(predictions, replicates=300).prompts
        ends = [bounds(row) for row in rows]
        qwk = [given(row.qwk) for row in rows]
        assert all(low < value < high for value, (low, high) in zip(qwk, ends, strict=True))
        widths.append(max(high - low for low, high in ends))
    assert widths[0] < widths[1] / 2


def test_means_over_folds_have_population_deviations() -> None:
    # Errors per fold: MAE 0 and 1, so mean 0.5 and population deviation 0.5 (sample: 0.707).
    predictions = of_scores([2, 3, 2, 3], [2, 3, 3, 2], folds=[0, 0, 1, 1])
    found = summarise(predictions, min_prompt_n=2, replicates=5).mean_over_folds
    assert found["mae"] == OverFolds(mean=0.5, std=0.5, n_folds=2)
    assert found["qwk"] == OverFolds(mean=0.0, std=1.0, n_folds=2)


def test_a_fold_without_a_figure_is_left_out_not_zero() -> None:
    predictions = of_scores([2, 3, 3, 3], [2, 3, 3, 3], folds=[0, 0, 1, 1])
    found = summarise(predictions, min_prompt_n=2, replicates=5).mean_over_folds["qwk"]
    assert found == OverFolds(mean=1.0, std=0.0, n_folds=1)


def test_the_worst_prompt_is_the_lowest_of_the_large_ones() -> None:
    prompts = ["good"] * 4 + ["bad"] * 4 + ["tiny"] * 2
    true = [2, 3, 4, 2, 2, 3, 4, 2, 2, 3]
    final = [2, 3, 4, 2, 3, 3, 3, 2, 3, 2]
    found = summarise(
        of_scores(true, final, prompts=prompts), min_prompt_n=4, bottom_k=1, replicates=5
    )
    assert given(found.worst_prompt).prompt == "bad"
    assert found.bottom_k_prompts == [found.worst_prompt]
    assert found.bottom_k_mean == given(found.worst_prompt).qwk
    assert found.small_prompts == [SmallPrompt(prompt="tiny", n=2)]


def test_a_missing_worst_prompt_stays_missing() -> None:
    found = summarise(made_predictions(60), min_prompt_n=1000, replicates=5)
    assert found.mean_over_folds["qwk"].mean is not None
    assert found.worst_prompt is None
    assert found.bottom_k_mean is None
    assert found.bottom_k_prompts == []
    assert found.prompts == []


def test_a_prompt_without_kappa_is_listed_but_never_worst() -> None:
    prompts = ["flat"] * 3 + ["fine"] * 3
    predictions = of_scores([3, 3, 3, 2, 3, 4], [3, 3, 3, 2, 3, 3], prompts=prompts)
    found = summarise(predictions, min_prompt_n=3, replicates=5)
    flat = next(row for row in found.prompts if row.prompt == "flat")
    assert (flat.qwk, flat.low, flat.high) == (None, None, None)
    assert given(found.worst_prompt).prompt == "fine"


def test_both_mappings_show_kappa_and_error() -> None:
    predictions = made_predictions()
    found = mapping_figures(predictions)
    assert found["final"] == found["round_half_band"]  # the made ones are rounded already
    # Raw 2.2 and 2.8 round to 2 and 3; the mapping sent both to 2.5.
    p = of_scores([2, 3], [2.5, 2.5])
    p.raw[:] = [2.2, 2.8]
    found = mapping_figures(p)
    assert found["final"] == {"qwk": 0.0, "mae": 0.5}
    assert found["round_half_band"] == {"qwk": 1.0, "mae": 0.0}


def test_the_confusion_matrix_has_all_labels_and_true_rows() -> None:
    found = summarise(of_scores([1, 1, 5], [1, 1.5, 5]), min_prompt_n=2, replicates=5).confusion
    assert found is not None
    assert found.labels == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert found.counts[0][:3] == [1, 1, 0]
    assert sum(map(sum, found.counts)) == 3


def test_scales_that_differ_have_no_confusion_matrix() -> None:
    found = summarise(made_predictions(120, n_prompts=4, scales=MIXED), replicates=20)
    assert found.confusion is None
    low, high = bounds(found.overall["qwk"])
    assert low < high
    assert "common scale" in found.unit


def test_covariates_use_only_what_is_known() -> None:
    predictions = of_scores([3, 3, 3, 3], [2, 3, 4, 5])  # residuals -1, 0, 1, 2
    columns = {
        "rising": np.array([1.0, 2.0, 3.0, 4.0]),
        "partly": np.array([2.0, np.nan, 1.0, np.nan]),
        "unknown": np.full(4, np.nan),
    }
    rows = covariates(predictions, columns)
    assert rows[0].residual == pytest.approx(1.0)
    # |residual| is 1, 0, 1, 2 with ranks 2.5, 1, 2.5, 4 against 1 to 4: r = 3 / sqrt(22.5).
    assert rows[0].abs_residual == pytest.approx(3 / np.sqrt(22.5))
    assert rows[1].n == 2
    assert rows[1].residual == pytest.approx(-1.0)
    assert rows[2] == CovariateCorrelation(
        covariate="unknown", n=0, residual=None, abs_residual=None
    )


def test_no_replicates_leave_prompts_without_intervals() -> None:
    found = summarise(made_predictions(), replicates=0)
    assert found.prompts[0].qwk is not None
    assert found.prompts[0].low is None
