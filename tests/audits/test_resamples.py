from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.audits.resamples import Limit, Resamples
from essay_scoring.core.scale import FloatArray
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


def test_a_limit_holds_sizes_or_least_values() -> None:
    assert Limit(0.1).holds(-0.1)
    assert not Limit(0.1).holds(-0.11)
    assert Limit(0.7, at_least=True).holds(0.7)
    assert not Limit(0.7, at_least=True).holds(-0.9)


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
