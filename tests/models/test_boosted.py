"""What both families of boosted trees owe: best iterations, classes, weights, seeds."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.boosted_xgboost import XGBoostScorer
from essay_scoring.models.foreign_trees import checked_xgboost
from essay_scoring.models.native_trees import NativeTrees
from essay_scoring.models.ordinal import TrainingMode, training_mode
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import (
    CatBoostSettings,
    Mode,
    TrainingSettings,
    XGBoostSettings,
)
from tests.conftest import ROOT

from .made import HALF_BANDS, PER_PROMPT, SHARED, context, error, made_essays

Boosted = XGBoostSettings | CatBoostSettings
FAMILIES = pytest.mark.parametrize("family", [XGBoostSettings, CatBoostSettings])
CLASSES: list[Mode] = ["ordinal_multiclass_expected", "ordinal_multiclass_argmax"]
EASY: dict[type[Boosted], dict[str, Any]] = {
    XGBoostSettings: {"min_child_weight": 1.0, "max_depth": 4},
    CatBoostSettings: {"depth": 4},
}
TRAIN, DEV, HELD_OUT = made_essays(150), made_essays(60, seed=1), made_essays(60, seed=2)


def settings_of(family: type[Boosted], **changes: Any) -> Boosted:
    quick = {"rounds": 40, "learning_rate": 0.2, "patience": 10} | EASY[family]
    return family.model_validate(quick | changes)


def predicted(settings: Boosted, seed: int = 42, weighting: str = "none") -> FloatArray:
    training = TrainingSettings.model_validate({"weighting": weighting})
    scorer = build_scorer(settings, training, context(seed=seed))
    scorer.fit(TRAIN, DEV)
    return scorer.predict(HELD_OUT.essays)


@FAMILIES
@pytest.mark.parametrize("mode", ["regression", *CLASSES])
def test_it_learns(family: type[Boosted], mode: str) -> None:
    raw = predicted(settings_of(family, mode=mode))
    constant = error(np.full(len(HELD_OUT), TRAIN.scores.mean()), HELD_OUT)
    assert error(raw, HELD_OUT) < 0.6 * constant


@pytest.mark.parametrize("mode", ["regression", *CLASSES])
def test_the_library_alone_predicts_what_xgboost_s_package_does(mode: Mode) -> None:
    settings = XGBoostSettings(mode=mode, rounds=40, learning_rate=0.2, min_child_weight=1.0)
    scorer = XGBoostScorer(settings, TrainingSettings(), context())
    scorer.fit(TRAIN, DEV)
    values = scorer.columns.matrix(HELD_OUT.essays).copy()
    values[::3, 0] = np.nan
    n_classes = HALF_BANDS.n_labels if mode != "regression" else 0
    data = bytes(scorer.booster.save_raw("json"))
    native = NativeTrees(checked_xgboost(data, values.shape[1], n_classes), threads=1)
    for rows in (values, values[:1], values[:, ::-1][:, ::-1]):
        assert native.outputs(rows).tobytes() == scorer.outputs(rows).tobytes()
        assert native.outputs(rows).shape == scorer.outputs(rows).shape
    with pytest.raises(ValueError, match=r"\S"):
        NativeTrees(b"{}", threads=1)


@FAMILIES
def test_predictions_stop_at_the_best_iteration(family: type[Boosted]) -> None:
    """A booster keeps its overfitted last trees too, and predicts with all of them."""
    overfitting = settings_of(family, rounds=300, patience=12, learning_rate=0.4)
    scorer = build_scorer(overfitting, TrainingSettings(), context())
    report = scorer.fit(TRAIN, DEV)
    run = len(report.curve["dev"])
    assert len(report.curve["train"]) == run < 300
    assert report.rounds == int(np.argmin(report.curve["dev"])) + 1 == run - 12
    exact = overfitting.model_copy(update={"rounds": report.rounds})
    np.testing.assert_array_equal(scorer.predict(HELD_OUT.essays), predicted(exact))
    # And the dev loss of what is kept is the least of the curve.
    assert error(scorer.predict(DEV.essays), DEV) == pytest.approx(min(report.curve["dev"]))


@FAMILIES
def test_dev_chooses_the_round_and_teaches_nothing_else(family: type[Boosted]) -> None:
    """With one round there is nothing to choose, so any dev gives the same trees."""
    predictions = []
    for seed in (1, 9):
        scorer = build_scorer(settings_of(family, rounds=1), TrainingSettings(), context())
        assert scorer.fit(TRAIN, made_essays(60, seed=seed)).rounds == 1
        predictions.append(scorer.predict(HELD_OUT.essays))
    np.testing.assert_array_equal(predictions[0], predictions[1])


@FAMILIES
def test_the_seed_decides_and_equal_seeds_agree(family: type[Boosted]) -> None:
    settings = settings_of(family)
    np.testing.assert_array_equal(predicted(settings), predicted(settings))
    assert (predicted(settings) != predicted(settings, seed=43)).any()


@FAMILIES
def test_weights_reach_the_trees(family: type[Boosted]) -> None:
    settings = settings_of(family)
    assert (predicted(settings) != predicted(settings, weighting="sqrt_inv_freq")).any()


@FAMILIES
@pytest.mark.parametrize("mode", CLASSES)
def test_classes_come_from_the_scale_not_from_the_labels_present(
    family: type[Boosted], mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Labels 1.0, 2.5 and 5.0 are absent in training; predictions still lie on the full scale."""
    train = made_essays(120, labels=[1.5, 2.0, 3.0, 3.5, 4.0, 4.5])
    dev = made_essays(60, seed=1, labels=[1.0, 2.0, 4.5, 5.0])
    scorer = build_scorer(settings_of(family, mode=mode), TrainingSettings(), context())
    scorer.fit(train, dev)
    raw = scorer.predict(train.essays)
    assert error(raw, train) < 0.5
    assert raw.min() >= 1.0
    assert raw.max() <= 5.0
    if mode == "ordinal_multiclass_argmax":
        assert set(raw) <= {1.5, 2.0, 3.0, 3.5, 4.0, 4.5}
    assert capfd.readouterr() == ("", "")


def test_expected_and_likeliest_score_by_hand() -> None:
    # Five labels 0 1 2 3 4 on the training scale: 0.5 * 0 + 0.1 * 3 + 0.4 * 4 = 1.9; likeliest 0.
    outputs = np.array([[0.5, 0.0, 0.0, 0.1, 0.4]])
    expected, likeliest = (TrainingMode(mode, 5).targets(outputs)[0] for mode in CLASSES)
    assert (expected, likeliest) == (pytest.approx(1.9), 0.0)


def test_labels_are_positions_in_the_full_list() -> None:
    mode = training_mode("ordinal_multiclass_expected", SHARED)
    assert mode.n_classes == HALF_BANDS.n_labels == 9
    essays = made_essays(30, labels=[1.0, 2.5, 5.0])
    np.testing.assert_array_equal(mode.labels(essays), (essays.scores - 1) * 2)


@FAMILIES
@pytest.mark.parametrize("mode", CLASSES)
def test_classes_need_one_scale(family: type[Boosted], mode: str) -> None:
    essays = made_essays(40, scales=PER_PROMPT)
    scorer = build_scorer(settings_of(family, mode=mode), TrainingSettings(), context(PER_PROMPT))
    with pytest.raises(InputError, match="use mode 'regression'"):
        scorer.fit(essays, essays)


@FAMILIES
def test_regression_predicts_on_each_prompts_own_scale(family: type[Boosted]) -> None:
    train, held_out = (made_essays(200, seed=s, scales=PER_PROMPT) for s in (0, 1))
    scorer = build_scorer(settings_of(family), TrainingSettings(), context(PER_PROMPT))
    scorer.fit(train, held_out)
    raw = scorer.predict(held_out.essays)
    assert raw[0::2].max() > 40  # p0 runs from 0 to 60
    assert raw[1::2].max() < 8  # p1 runs from 1 to 6
    assert error(raw, held_out) < 0.8


@pytest.mark.parametrize(
    ("family", "package"), [(XGBoostSettings, "xgboost"), (CatBoostSettings, "catboost")]
)
def test_a_missing_package_names_its_extra(
    family: type[Boosted], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    scorer = build_scorer(settings_of(family), TrainingSettings(), context())
    with pytest.raises(MissingExtraError, match=r"essay-scoring\[boosted\]"):
        scorer.fit(TRAIN, DEV)


@pytest.mark.parametrize("family", ["xgboost", "catboost"])
def test_a_stop_signal_at_any_moment_ends_boosting_in_good_order(family: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.interrupted_fits", family, "60"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr
    endings = json.loads(done.stdout)
    assert endings["interrupted"] >= 30
    assert sum(endings.values()) == 60
