from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.core.scale import FloatArray
from essay_scoring.statistics import metrics, slices, weighted
from essay_scoring.statistics.counts import Mask, observed, sums_of, tabulate
from essay_scoring.statistics.figures import (
    fold_qwk,
    mean_of_lowest,
    overall_figures,
    prompt_qwk,
    rank_figures,
)
from essay_scoring.statistics.predictions import Predictions
from tests.statistics import oracle
from tests.statistics.made import HALVES, MIXED, made_predictions, of_scores, rescored

CASES = {
    "nested folds": made_predictions(),
    "prompts that span folds": made_predictions(nested=False),
    "a scale per prompt": made_predictions(n_prompts=4, scales=MIXED),
    "a scale per prompt, spanning": made_predictions(n_prompts=4, nested=False, scales=MIXED),
}


@pytest.mark.parametrize("predictions", CASES.values(), ids=CASES.keys())
def test_figures_of_sums_equal_those_of_the_essays(predictions: Predictions) -> None:
    tables = tabulate([predictions], with_raw=True)
    figures = {k: v[0, 0] for k, v in overall_figures(sums_of(tables, observed(tables))).items()}
    figures |= {k: v[0] for k, v in rank_figures(tables, observed(tables)).items()}
    by_essay = oracle.figures(predictions)
    assert set(by_essay) == set(figures) - {"mean_qwk"}
    for name, value in by_essay.items():
        assert figures[name] == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize("predictions", CASES.values(), ids=CASES.keys())
def test_slices_of_sums_equal_those_of_the_essays(predictions: Predictions) -> None:
    tables = tabulate([predictions])
    sums = sums_of(tables, observed(tables))
    names = np.array(predictions.prompts)
    prompts = [oracle.kappa(part(predictions, names == name)) for name in sorted(set(names))]
    assert prompt_qwk(sums)[0, 0] == pytest.approx(prompts, abs=1e-12)
    folds = predictions.folds
    by_fold = [oracle.kappa(part(predictions, folds == fold)) for fold in np.unique(folds)]
    assert fold_qwk(sums)[0, 0] == pytest.approx(by_fold, abs=1e-12)
    assert [row.qwk for row in slices.by_prompt(predictions, 0)[0]] == pytest.approx(prompts)
    assert [row.qwk for row in slices.by_fold(predictions)] == pytest.approx(by_fold)


def part(run: Predictions, mask: Mask) -> Predictions:
    return run.take(np.flatnonzero(mask))


def test_two_runs_stand_side_by_side() -> None:
    reference = made_predictions()
    candidate = rescored(reference, seed=3)
    tables = tabulate([reference, candidate])
    both = overall_figures(sums_of(tables, observed(tables)))["qwk"][0]
    alone = [oracle.kappa(reference), oracle.kappa(candidate)]
    assert both == pytest.approx(alone, abs=1e-12)


def test_the_order_of_essays_does_not_matter() -> None:
    predictions = made_predictions(nested=False)
    shuffled = predictions.take(np.random.default_rng(1).permutation(len(predictions)))
    one, other = tabulate([predictions], with_raw=True), tabulate([shuffled], with_raw=True)
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.moments, other.moments)
    assert np.array_equal(one.values, other.values)


def test_rows_are_the_cells_of_the_confusion_matrix() -> None:
    tables = tabulate([of_scores([1, 1, 2, 1], [1.5, 1.5, 2, 1])])
    assert sorted(tables.counts.tolist()) == [1, 1, 2]


def test_a_slice_without_essays_is_nan_and_warns_nobody() -> None:
    tables = tabulate([of_scores([3.0, 3.0], [3.0, 3.0])])
    figures = overall_figures(sums_of(tables, observed(tables)))
    for name in ("qwk", "mean_qwk", "pearson", "smd", "low_tail_adjacent", "high_tail_adjacent"):
        assert np.isnan(figures[name]).all(), name
    assert figures["mae"][0, 0] == 0.0


def test_one_constant_label_stays_undefined_under_fractional_weights() -> None:
    tables = tabulate([of_scores([5.0] * 7, [5.0] * 7)])
    draws = observed(tables)
    thirds = type(draws)(draws.counts, draws.times * 3, draws.drawn)
    assert np.isnan(overall_figures(sums_of(tables, thirds))["qwk"]).all()
    assert np.isnan(overall_figures(sums_of(tables, thirds))["pearson"]).all()


@pytest.mark.parametrize(
    ("values", "drawn", "k", "expected"),
    [
        ([0.5, 0.1, 0.3], [1, 1, 1], 1, 0.1),
        ([0.5, 0.1, 0.3], [1, 1, 1], 2, 0.2),
        ([0.5, 0.1, 0.3], [1, 2, 1], 2, 0.1),  # drawn twice: fills both places
        ([0.5, 0.1, 0.3], [1, 2, 1], 3, 0.5 / 3),
        ([0.5, 0.1, 0.3], [1, 0, 1], 1, 0.3),  # not drawn: not there
        ([0.5, np.nan, 0.3], [1, 1, 1], 1, 0.3),
        ([0.5, 0.1, 0.3], [1, 1, 1], 9, 0.3),  # fewer than k: the mean of all
        ([np.nan, np.nan, np.nan], [1, 1, 1], 1, np.nan),  # never 0, never another mean
    ],
)
def test_mean_of_lowest(values: list[float], drawn: list[int], k: int, expected: float) -> None:
    found = mean_of_lowest(np.array(values), np.array(drawn), k)
    assert float(found) == pytest.approx(expected, nan_ok=True)


def test_weighted_correlations_equal_those_of_repeated_essays() -> None:
    rng = np.random.default_rng(2)
    predictions = made_predictions(60, n_prompts=3, n_folds=3)
    tables = tabulate([predictions], with_raw=True)
    counts = rng.integers(0, 4, (5, len(tables.counts))).astype(np.float64)
    draws = type(observed(tables))(counts, np.ones(3, dtype=np.int64), np.ones((5, 3), dtype=int))
    found = rank_figures(tables, draws)
    for replicate, times in enumerate(counts.astype(int)):
        true, final, raw = (np.repeat(column, times) for column in tables.values.T)
        assert found["spearman"][replicate] == pytest.approx(metrics.spearman(true, final))
        assert found["spearman_raw"][replicate] == pytest.approx(metrics.spearman(true, raw))
        assert found["pearson_raw"][replicate] == pytest.approx(metrics.pearson(true, raw))


def test_weighted_correlation_with_a_constant_is_undefined() -> None:
    ones: FloatArray = np.ones((2, 4))
    assert np.isnan(weighted.pearson(ones, np.arange(4.0), np.full(4, 3.0))).all()


def test_prompt_names_may_be_hostile() -> None:
    names = ["a\0", "a", "", "\u202e\u05d0\u05d1", "<script>", "a"]
    tables = tabulate([of_scores([1, 2, 3, 4, 5, 1], [1, 2, 3, 4, 5, 2], prompts=names)])
    assert tables.layout.prompts == tuple(sorted(set(names)))
    assert tables.layout.sizes.sum() == 6
    assert HALVES.shared is not None
