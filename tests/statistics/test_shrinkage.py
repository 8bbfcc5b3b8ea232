from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.statistics.comparison import compare
from essay_scoring.statistics.counts import observed, sums_of, tabulate
from essay_scoring.statistics.figures import (
    prompt_qwk,
    prompt_variance,
    qwk_variance,
    shrunken_lowest,
)
from tests.statistics.made import HALVES, MIXED, made_predictions, of_scores, rescored

REFERENCE = made_predictions(400)


def test_the_variance_of_kappa_by_hand() -> None:
    # Labels 0 and 1, counts 3 1 / 1 3: both means 1/2, kappa 1/2, expected disagreement B = 1/2.
    # h = 2ij - (i^2 + j^2) / 2 - (i + j) / 2 is 0 where both agree and -1 where they do not:
    # mean -1/4, variance 1/4 - 1/16 = 3/16, over n B^2 = 8 / 4 that is 3/32.
    true, final = [1.0] * 4 + [1.5] * 4, [1.0] * 3 + [1.5, 1.0] + [1.5] * 3
    tables = tabulate([of_scores(true, final)])
    found = qwk_variance(sums_of(tables, observed(tables)).prompts)
    assert found.item() == pytest.approx(3 / 32)


@pytest.mark.parametrize("scales", [HALVES, MIXED], ids=["one scale", "a scale per prompt"])
def test_the_variance_of_kappa_is_that_of_fleiss_and_others(scales) -> None:  # type: ignore[no-untyped-def]
    from statsmodels.stats.inter_rater import cohens_kappa

    run = made_predictions(400, n_prompts=4, scales=scales)
    tables = tabulate([run])
    found = prompt_variance(sums_of(tables, observed(tables)))[0, 0]
    for prompt, variance in zip(tables.layout.prompts, found, strict=True):
        at = np.array(run.prompts) == prompt
        scale = scales.of(prompt)
        cells = np.zeros((scale.n_labels, scale.n_labels))
        np.add.at(cells, (scale.index(run.true[at]), scale.index(run.final[at])), 1)
        steps = np.arange(scale.n_labels, dtype=float)
        theirs = cohens_kappa(cells, weights=(steps[:, None] - steps) ** 2)
        assert variance == pytest.approx(theirs.var_kappa, rel=1e-8)


def test_a_prompt_drawn_twice_has_the_variance_of_its_own_size() -> None:
    tables = tabulate([REFERENCE])
    once = observed(tables)
    twice = replace(once, counts=2 * once.counts, drawn=2 * once.drawn)
    one, other = (prompt_variance(sums_of(tables, draws)) for draws in (once, twice))
    assert one == pytest.approx(other)


@pytest.mark.parametrize(
    ("values", "variance", "drawn", "expected"),
    [
        # Mean 0.5, S^2 = 0.09, between 0.06: two thirds of the way from the mean to 0.2 are kept.
        ([0.2, 0.5, 0.8], [0.03] * 3, [1, 1, 1], 0.3),
        # Between 0.06 again; the lowest, being the least certain, keeps 0.06 / 0.12 of its way.
        ([0.2, 0.5, 0.8], [0.06, 0.0, 0.03], [1, 1, 1], 0.35),
        # No more spread than chance gives: all are the mean.
        ([0.2, 0.5, 0.8], [0.2] * 3, [1, 1, 1], 0.5),
        # Twice 0.2, once 0.5: mean 0.3, S^2 = (2 * 0.01 + 0.04) / 2 = 0.03, nothing above chance.
        ([0.2, 0.5, 0.8], [0.03] * 3, [2, 1, 0], 0.3),
        # Twice 0.2, once 0.8: mean 0.4, S^2 = (2 * 0.04 + 0.16) / 2 = 0.12, between 0.09: kept 3/4.
        ([0.2, 0.5, 0.8], [0.03] * 3, [2, 0, 1], 0.25),
        ([0.2, 0.5, 0.8], [0.03] * 3, [0, 1, 0], 0.5),  # a single prompt stays put
        ([0.2, np.nan, 0.8], [0.0, np.nan, 0.0], [1, 1, 1], 0.2),  # certain: nothing moves
        ([0.4, 0.4], [0.0, 0.0], [1, 1], 0.4),  # neither spread nor noise
        ([np.nan, 0.3], [np.nan, 0.1], [1, 0], np.nan),  # never 0
    ],
)
def test_shrinking_by_hand(
    values: list[float], variance: list[float], drawn: list[int], expected: float
) -> None:
    found = shrunken_lowest(np.array(values), np.array(variance), np.array(drawn))
    assert float(found) == pytest.approx(expected, nan_ok=True)


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_shrunken_lowest_lies_between_the_lowest_and_the_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, variance = rng.normal(size=(20, 6)), rng.gamma(1, 0.5, size=(20, 6))
    found = shrunken_lowest(values, variance, np.ones((20, 6), dtype=np.int64))
    assert (found >= values.min(axis=1) - 1e-12).all()
    assert (found <= values.mean(axis=1) + 1e-12).all()


def test_the_comparison_shrinks_the_large_prompts_of_each_run() -> None:
    candidate = rescored(REFERENCE, seed=2)
    delta = compare(REFERENCE, candidate, min_prompt_n=45, replicates=0).deltas[
        "shrunken_worst_qwk"
    ]
    expected = []
    for run in (REFERENCE, candidate):
        tables = tabulate([run])
        sums = sums_of(tables, observed(tables))
        large = tables.layout.sizes >= 45
        assert 2 < large.sum() < 8
        y, v = prompt_qwk(sums)[0, 0, large], prompt_variance(sums)[0, 0, large]
        between = max(y.var(ddof=1) - v.mean(), 0)
        expected.append((y.mean() + between / (between + v) * (y - y.mean())).min())
    assert (delta.reference, delta.candidate) == pytest.approx(tuple(expected))
    assert delta.n == tabulate([REFERENCE]).layout.sizes[large].sum()


def test_it_is_steadier_than_the_worst_prompt() -> None:
    found = compare(REFERENCE, rescored(REFERENCE, seed=2), replicates=400).deltas
    assert found["shrunken_worst_qwk"].swapped.std() < 0.8 * found["worst_prompt_qwk"].swapped.std()
