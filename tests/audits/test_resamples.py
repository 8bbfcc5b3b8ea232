from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.audits.resamples import Limit, Resamples
from essay_scoring.core.scale import FloatArray
from essay_scoring.records.audit_record import Figure, verdict_on
from essay_scoring.statistics import weighted
from essay_scoring.statistics.summary import summarise
from tests.statistics.made import made_predictions


def test_the_interval_is_that_of_the_run() -> None:
    p = made_predictions(600, n_prompts=12)
    whole = summarise(p, replicates=0).overall
    resamples = Resamples.of(p, 5)
    scale = p.scales.of("p00")
    true, final = scale.index(p.true).astype(float), scale.index(p.final).astype(float)
    one = np.zeros(len(p), dtype=np.int64)
    kappa = resamples.figure("QWK", lambda w: weighted.qwk(w, true, final, one))
    for ours, theirs in (
        (kappa, whole["qwk"]),
        (resamples.figure("r", lambda w: weighted.pearson(w, p.true, p.final)), whole["pearson"]),
        (resamples.figure("SMD", lambda w: weighted.pooled_smd(w, p.true, p.final)), whole["smd"]),
    ):
        assert ours.estimate == pytest.approx(theirs.estimate, abs=1e-9)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_every_prompt_is_left_out_whole_and_once() -> None:
    p = made_predictions(200, n_prompts=6, n_folds=2)
    weights, prompt_of = Resamples.of(p, 2).weights, p.numbered_prompts()[1]
    assert np.array_equal(weights, (np.arange(6)[:, None] != prompt_of).astype(float))


@pytest.mark.parametrize(
    ("limit", "interval", "decided"),
    [
        (Limit(0.1), (-0.1, 0.1), True),
        (Limit(0.1), (-0.3, -0.11), False),
        (Limit(0.1), (0.02, 0.11), None),
        (Limit(0.1), (-0.11, 0.02), None),
        (Limit(0.1, one_sided=True), (-0.4, 0.1), True),
        (Limit(0.1, one_sided=True), (-0.4, 0.2), None),
        (Limit(0.1, one_sided=True), (0.11, 0.2), False),
        (Limit(0.7, at_least=True), (0.7, 0.8), True),
        (Limit(0.7, at_least=True), (0.6, 0.8), None),
        (Limit(0.7, at_least=True), (0.6, 0.69), False),
        (Limit(0.7), (None, None), None),
    ],
)
def test_the_whole_interval_keeps_a_limit_or_misses_it(
    limit: Limit, interval: tuple[float | None, float | None], decided: bool | None
) -> None:
    assert limit.decides(*interval) is decided


def test_a_share_that_no_prompt_moves_has_an_interval_with_width() -> None:
    """8 of 10 in each of 6 prompts: the jackknife's error is 0, Wilson's of 60 essays is not."""
    p = made_predictions(60, n_prompts=6, n_folds=2)
    rows = p.numbered_prompts()[1]
    marked = np.zeros(60, dtype=bool)
    for prompt in range(6):
        mine = np.flatnonzero(rows == prompt)
        marked[mine[: round(0.8 * len(mine))]] = True
    found = Resamples.of(p, 1).share("rate", marked, limit=Limit(0.5, one_sided=True))
    assert found.low is not None
    assert found.high is not None
    assert found.estimate is not None
    assert found.low < found.estimate - 0.05 < found.estimate + 0.05 < found.high <= 1
    every = Resamples.of(p, 1).share("rate", np.ones(60, dtype=bool), limit=Limit(0.5))
    assert every.low == pytest.approx(60 / (60 + 1.95996**2), abs=1e-4)
    assert every.high == 1


def test_the_worst_of_figures_is_the_verdict_on_them() -> None:
    made = [replace(Figure("x", "", 0.1, 9), limit=0.2, passes=one) for one in (True, None, False)]
    assert [one.result for one in made] == ["pass", "undecided", "fail"]
    assert verdict_on(made) == "fail"
    assert verdict_on(made[:2]) == "undecided"
    assert verdict_on([*made[:1], Figure("y", "", 0.5, 9)]) == "pass"
    assert verdict_on([Figure("y", "", 0.5, 9)]) == "info"


def test_an_undefined_figure_passes_and_fails_nothing() -> None:
    p = made_predictions(60)
    figure = Resamples.of(p, 1).figure("none", undefined, limit=Limit(0.1))
    assert (figure.estimate, figure.low, figure.high, figure.passes) == (None, None, None, None)


def undefined(weights: FloatArray) -> FloatArray:
    return np.full(len(weights), np.nan)


def test_a_group_of_one_prompt_has_no_interval() -> None:
    p = made_predictions(120)
    resamples = Resamples.of(p, 1)
    members = np.array([prompt == "p00" for prompt in p.prompts])
    figure = resamples.figure("mean", lambda w: weighted.mean(w * members, p.true), members=members)
    assert figure.n == int(members.sum())
    assert figure.estimate == pytest.approx(float(p.true[members].mean()))
    assert figure.low is None
