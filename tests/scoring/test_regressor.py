from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.utils.estimator_checks import parametrize_with_checks

from essay_scoring.core.errors import ArgumentError, InputError
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.scoring.regressor import EssayScoreRegressor

TRAIN = generate(SyntheticCorpus(n_essays=90, n_prompts=6, seed=3), "train")
PAIRS = [*zip(TRAIN.essays.texts, TRAIN.prompts, strict=True)]
NUMBERS = np.random.default_rng(0).normal(size=(60, 3))
SCORES = np.clip(np.round(2 * NUMBERS[:, 0]) / 2 + 3, 1, 5)
NOT_PASSED = {
    "check_sample_weight_equivalence_on_dense_data": "an essay given twice may be cut to dev, "
    "where settings are chosen, while one of weight 2 is learnt from"
}
"""The checks of scikit-learn that a regressor does not pass, each with the reason."""


def expected(_: EssayScoreRegressor) -> dict[str, str]:
    return NOT_PASSED


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [EssayScoreRegressor("ridge"), EssayScoreRegressor("mean")], expected_failed_checks=expected
)
@pytest.mark.filterwarnings("ignore")
def test_it_is_an_estimator(estimator: EssayScoreRegressor, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [EssayScoreRegressor(family) for family in ("svr", "xgboost", "catboost")],
    expected_failed_checks=expected,
)
@pytest.mark.filterwarnings("ignore")
def test_every_family_is_one(estimator: EssayScoreRegressor, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_texts_are_read_and_prompts_held_out_as_groups() -> None:
    raw = cross_val_predict(
        EssayScoreRegressor("length"), PAIRS, TRAIN.scores, groups=TRAIN.prompts, cv=GroupKFold(3)
    )
    assert raw.shape == (len(PAIRS),)
    assert np.corrcoef(raw, TRAIN.scores)[0, 1] > 0.2
    assert len(set(raw - np.round(raw))) > 80
    model = EssayScoreRegressor("length").fit(PAIRS, TRAIN.scores)
    np.testing.assert_array_equal(
        model.predict(TRAIN.essays.texts, prompts=TRAIN.prompts), model.predict(PAIRS)
    )
    assert -1 < model.score(PAIRS, TRAIN.scores) < 1


def test_weights_say_how_much_essays_count_and_which_do_not() -> None:
    weights = np.where(np.arange(60) < 12, 0.0, np.where(SCORES > 3, 5.0, 1.0))
    prompts = np.array([f"prompt {row % 6}" for row in range(60)])
    ridge = EssayScoreRegressor()
    weighed = clone(ridge).fit(NUMBERS, SCORES, weights, prompts=prompts)
    without = clone(ridge).fit(NUMBERS[12:], SCORES[12:], weights[12:], prompts=prompts[12:])
    np.testing.assert_allclose(weighed.predict(NUMBERS), without.predict(NUMBERS), rtol=1e-6)
    alike = clone(ridge).fit(NUMBERS[12:], SCORES[12:], 7.0, prompts=prompts[12:])
    unweighed = clone(ridge).fit(NUMBERS[12:], SCORES[12:], prompts=prompts[12:])
    np.testing.assert_array_equal(alike.predict(NUMBERS), unweighed.predict(NUMBERS))
    assert np.mean(weighed.predict(NUMBERS) - alike.predict(NUMBERS)) > 0.01


def test_a_grid_of_settings_is_searched() -> None:
    grid = {"hyperparameters": [{"alphas": [1.0]}, {"alphas": [1e9]}]}
    search = GridSearchCV(EssayScoreRegressor(), grid, cv=3).fit(NUMBERS, SCORES)
    assert search.best_params_ == {"hyperparameters": {"alphas": [1.0]}}
    assert search.best_score_ > 0.8
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()


def test_numbers_give_what_a_blend_of_families_gives() -> None:
    members = [{"scorer": {"family": "ridge"}}, {"scorer": {"family": "svr"}}]
    blend = EssayScoreRegressor("blend", hyperparameters={"members": members})
    raw = blend.fit(NUMBERS, SCORES, prompts=["a", "b", "c"] * 20).predict(NUMBERS)
    assert np.abs(raw - SCORES).mean() < 0.5
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(blend)).predict(NUMBERS), raw)


def test_texts_are_read_after_pickling_too(tmp_path: Path) -> None:
    model = EssayScoreRegressor("length", cache=tmp_path).fit(TRAIN.essays.texts, TRAIN.scores)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        again.predict(TRAIN.essays.texts), model.predict(TRAIN.essays.texts)
    )


def test_each_prompt_may_have_its_scale() -> None:
    scales = {"a": (0, 3, 1), "b": (0, 30, 1)}
    prompts = ["a", "b"] * 30
    scores = np.round((SCORES - 1) / 4 * np.where(np.array(prompts) == "a", 3, 30))
    model = EssayScoreRegressor(scale=scales).fit(NUMBERS, scores, prompts=prompts)
    raw = model.predict(NUMBERS, prompts=prompts)
    assert np.corrcoef(raw, scores)[0, 1] > 0.9
    with pytest.raises(ArgumentError, match="prompt '' has no score scale"):
        model.predict(NUMBERS)


MISUSES: dict[str, Callable[[], object]] = {
    "fit, y: 1 of 60 are NaN or infinite, the first at position 0": lambda: (
        EssayScoreRegressor().fit(NUMBERS, np.where(np.arange(60) == 0, np.nan, SCORES))
    ),
    "fit: 59 prompts for 60 essays": lambda: EssayScoreRegressor().fit(
        NUMBERS, SCORES, prompts=["a"] * 59
    ),
    "fit: 89 scores for 90 essays": lambda: EssayScoreRegressor("length").fit(
        PAIRS, TRAIN.scores[1:]
    ),
    "sample_weight: 1 weights are below zero": lambda: EssayScoreRegressor().fit(
        NUMBERS, SCORES, sample_weight=[-1.0, *[1.0] * 59]
    ),
    "59 weights for 60 essays": lambda: EssayScoreRegressor().fit(NUMBERS, SCORES, [1.0] * 59),
    "off the scale 1 to 3 by 1, the first is": lambda: EssayScoreRegressor(scale=(1, 3)).fit(
        NUMBERS, SCORES
    ),
    "'wide' is no score scale": lambda: EssayScoreRegressor(
        scale="wide"  # type: ignore[arg-type]
    ).fit(NUMBERS, SCORES),
    "position 1 holds no text": lambda: EssayScoreRegressor("length").fit(["a", None], [1, 2]),
    "there are texts among 1x3 cells": lambda: EssayScoreRegressor().fit([["a", 1, 2]], [1]),
    "the family 'length' reads texts": lambda: EssayScoreRegressor("length").fit(NUMBERS, SCORES),
    "it was fitted on columns of numbers, and X holds texts": lambda: (
        EssayScoreRegressor().fit(NUMBERS, SCORES).predict(["a", "b"])
    ),
    "it was fitted on texts": lambda: (
        EssayScoreRegressor("length").fit(PAIRS, TRAIN.scores).predict(NUMBERS)
    ),
    "fit: hyperparameters.alpha: unknown key": lambda: EssayScoreRegressor(
        hyperparameters={"alpha": [1.0]}
    ).fit(NUMBERS, SCORES),
    "no feature set 'handmade'": lambda: EssayScoreRegressor(features=("handmade",)).fit(
        PAIRS, TRAIN.scores
    ),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_is_one_line_that_says_how_to_mend_it(message: str) -> None:
    with pytest.raises(ValueError, match="To mend: ") as caught:
        MISUSES[message]()
    assert isinstance(caught.value, InputError)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
