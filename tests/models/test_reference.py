"""The reference comparator, XGBoost config b28c376a73."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.models.boosted_xgboost import XGBoostScorer, xgboost_parameters
from essay_scoring.models.scorer_settings import TrainingSettings, XGBoostSettings

from .made import context, made_essays

CONTRACT = {
    "objective": "reg:squarederror",
    "max_depth": 3,
    "min_child_weight": 20,
    "reg_lambda": 5.0,
    "reg_alpha": 1.0,
    "learning_rate": 0.03,
    "colsample_bytree": 0.6,
    "subsample": 0.8,
    "seed": 42,
}


def test_the_default_is_the_contract() -> None:
    passed = xgboost_parameters(XGBoostSettings(), n_classes=0, seed=42, threads=2)
    assert {name: passed[name] for name in CONTRACT} == CONTRACT
    # Nothing else that shapes a tree: no split penalty, XGBoost's own defaults for the rest.
    assert {name: passed[name] for name in passed.keys() - CONTRACT.keys()} == {
        "gamma": 0.0,
        "eval_metric": "rmse",
        "tree_method": "hist",
        "nthread": 2,
        "verbosity": 1,
    }
    assert (XGBoostSettings().rounds, XGBoostSettings().patience) == (1500, 100)


def test_xgboost_understood_every_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the trees were really grown with, as XGBoost itself tells it after training."""
    import xgboost

    told: dict[str, Any] = {}
    real = xgboost.train

    def listening(*args: Any, **options: Any) -> Any:
        booster = real(*args, **options)
        told.update(json.loads(booster.save_config())["learner"], rounds=options["num_boost_round"])
        return booster

    monkeypatch.setattr(xgboost, "train", listening)
    settings = XGBoostSettings(rounds=3)
    XGBoostScorer(settings, TrainingSettings(), context()).fit(made_essays(80), made_essays(40, 1))
    trees = told["gradient_booster"]["tree_train_param"]
    names = {"max_depth", "min_child_weight", "reg_lambda", "reg_alpha", "learning_rate"}
    for name in sorted(names | {"colsample_bytree", "subsample"}):
        assert float(trees[name]) == pytest.approx(CONTRACT[name]), name
    assert (float(trees["gamma"]), trees["max_bin"]) == (0.0, "256")
    assert told["objective"]["name"] == "reg:squarederror"
    assert told["generic_param"]["seed"] == "42"
    assert told["gradient_booster"]["gbtree_train_param"]["tree_method"] == "hist"
    assert told["rounds"] == 3


def test_only_rounds_up_to_the_best_are_saved(tmp_path: Path) -> None:
    settings = XGBoostSettings(learning_rate=0.5, min_child_weight=1, rounds=200, patience=8)
    scorer = XGBoostScorer(settings, TrainingSettings(), context())
    report = scorer.fit(made_essays(120), made_essays(50, seed=1))
    scorer.save(tmp_path)
    saved = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert report.rounds is not None
    assert len(report.curve["dev"]) == report.rounds + 8
    assert len(saved["learner"]["gradient_booster"]["model"]["trees"]) == report.rounds


def test_trees_take_undefined_values() -> None:
    from essay_scoring.core.contracts import Columns
    from essay_scoring.core.essays import Essays

    from .made import text_columns

    def with_gaps(essays: Essays) -> Columns:
        columns = text_columns(essays)
        columns.values[::3, 2] = np.nan
        columns.values[:, 3] = np.nan
        return columns

    scorer = XGBoostScorer(
        XGBoostSettings(rounds=5), TrainingSettings(), context(columns=with_gaps)
    )
    scorer.fit(made_essays(80), made_essays(40, seed=1))
    assert np.isfinite(scorer.predict(made_essays(20, seed=2).essays)).all()
