from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from essay_scoring.audits.contributions import Contributions, contributions_of, explained_families
from essay_scoring.core.contracts import Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.models.estimators import EstimatorScorer
from essay_scoring.models.family_settings import Explanation, FamilySettings
from essay_scoring.models.registry import build_scorer, load_scorer
from essay_scoring.models.ridge import RidgeScorer
from essay_scoring.models.scorer_settings import (
    CatBoostSettings,
    LengthSettings,
    MeanSettings,
    RidgeSettings,
    ScorerSettings,
    TrainingSettings,
    XGBoostSettings,
)
from tests.audits.planted import NAMES, SIGNAL, planted_context, planted_essays

TREES: dict[str, ScorerSettings] = {
    "xgboost": XGBoostSettings(rounds=60, min_child_weight=2, learning_rate=0.1),
    "catboost": CatBoostSettings(rounds=60, learning_rate=0.1),
}
ALL: dict[str, ScorerSettings] = {**TREES, "ridge": RidgeSettings()}
TRAIN, DEV, HELD_OUT = (planted_essays(n, seed=seed) for seed, n in enumerate((240, 60, 90)))


def fitted(settings: ScorerSettings, training: TrainingSettings | None = None) -> Scorer:
    scorer = build_scorer(settings, training or TrainingSettings(), planted_context())
    scorer.fit(TRAIN, DEV)
    return scorer


def explained(scorer: Scorer) -> tuple[Contributions, np.ndarray]:
    """Return contributions and raw predictions, on the training scale, of the held-out essays."""
    raw = scorer.predict(HELD_OUT.essays)
    target = HELD_OUT.scales.to_training(raw, HELD_OUT.prompts)
    return contributions_of(scorer, HELD_OUT.essays), target


@pytest.mark.parametrize("family", ALL)
def test_base_and_contributions_add_up_to_the_prediction(family: str) -> None:
    parts, target = explained(fitted(ALL[family]))
    assert parts.phi.shape == (90, len(NAMES))
    assert parts.names == NAMES
    assert np.isnan(parts.values).any()
    np.testing.assert_allclose(parts.totals, target, atol=1e-4)


@pytest.mark.parametrize("family", ALL)
def test_a_loaded_model_is_explained_as_the_fitted_one(family: str, tmp_path: Path) -> None:
    scorer = fitted(ALL[family])
    scorer.save(tmp_path)
    loaded = load_scorer(tmp_path, planted_context())
    one, other = (contributions_of(each, HELD_OUT.essays) for each in (scorer, loaded))
    np.testing.assert_allclose(one.phi, other.phi, atol=1e-6)
    np.testing.assert_allclose(one.base, other.base, atol=1e-6)


@pytest.mark.parametrize("family", ALL)
def test_the_planted_column_dominates(family: str) -> None:
    parts, _ = explained(fitted(ALL[family]))
    sizes = dict(zip(parts.names, np.abs(parts.phi).mean(axis=0), strict=True))
    assert sizes.pop(SIGNAL) > 5 * max(sizes.values())


@pytest.mark.parametrize("family", ["xgboost", "catboost"])
def test_trees_after_the_best_round_are_not_explained(family: str) -> None:
    settings = TREES[family].model_copy(
        update={"rounds": 300, "patience": 5, "learning_rate": 0.5, "subsample": 0.5}
    )
    scorer = build_scorer(settings, TrainingSettings(), planted_context())
    report = scorer.fit(TRAIN, DEV)
    assert report.rounds is not None
    assert report.rounds < len(report.curve["dev"])
    parts, target = explained(scorer)
    np.testing.assert_allclose(parts.totals, target, atol=1e-4)


def test_the_base_of_trees_is_their_mean_over_the_training_essays() -> None:
    # Path-dependent TreeSHAP weighs leaves by their training essays: without subsampling the base
    # value is the mean prediction of those.
    settings = XGBoostSettings(rounds=30, min_child_weight=2, subsample=1, colsample_bytree=1)
    scorer = fitted(settings)
    mean = TRAIN.scales.to_training(scorer.predict(TRAIN.essays), TRAIN.prompts).mean()
    np.testing.assert_allclose(contributions_of(scorer, HELD_OUT.essays).base, mean, atol=1e-4)


def test_a_single_split_is_worth_its_leaf_less_the_mean() -> None:
    # One tree of depth 1: the split column gets prediction - mean prediction, the others nothing.
    settings = XGBoostSettings(
        rounds=1, max_depth=1, min_child_weight=1, subsample=1, colsample_bytree=1
    )
    parts, target = explained(fitted(settings))
    at = NAMES.index(SIGNAL)
    np.testing.assert_allclose(parts.phi[:, at], target - parts.base, atol=1e-5)
    assert not np.delete(parts.phi, at, axis=1).any()


def test_a_linear_model_is_taken_apart_by_hand() -> None:
    # Coefficient times standardised value; an unknown value stands at the mean and adds nothing.
    scorer = fitted(RidgeSettings())
    assert isinstance(scorer, RidgeScorer)
    assert scorer.model is not None
    parts = contributions_of(scorer, HELD_OUT.essays)
    model, first = scorer.model, parts.values[0].astype(np.float64)
    scaled = (first[0] - model.standardiser.mean[0]) / model.standardiser.deviation[0]
    assert parts.phi[0, 0] == pytest.approx(scaled * model.coefficients[0])
    assert np.isnan(first[-1])
    assert parts.phi[0, -1] == 0
    assert parts.base.tolist() == [model.intercept] * 90


class PlainSettings(FamilySettings):
    """A linear regression of scikit-learn: a family that says how it is explained, and no more."""

    explained_by: ClassVar[Explanation | None] = "coefficients"
    family: Literal["plain"] = "plain"


class PlainScorer(EstimatorScorer[PlainSettings]):
    def estimators(self, n_columns: int) -> Mapping[float, Any]:
        from sklearn.linear_model import Ridge

        return {alpha: Ridge(alpha) for alpha in (1.0, 10.0)}


def test_a_linear_family_of_scikit_learn_is_explained_by_saying_so() -> None:
    scorer = PlainScorer(PlainSettings(), TrainingSettings(), planted_context())
    scorer.fit(TRAIN, DEV)
    parts, target = explained(scorer)
    np.testing.assert_allclose(parts.totals, target, atol=1e-6)
    sizes = dict(zip(parts.names, np.abs(parts.phi).mean(axis=0), strict=True))
    assert max(sizes, key=lambda name: sizes[name]) == SIGNAL
    assert "plain" in explained_families()


@pytest.mark.parametrize("family", ALL)
def test_an_ensemble_is_the_mean_of_its_members(family: str) -> None:
    parts, target = explained(fitted(ALL[family], TrainingSettings(ensemble=3)))
    np.testing.assert_allclose(parts.totals, target, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (MeanSettings(), "ridge, xgboost, catboost"),
        (LengthSettings(), "cannot be taken apart by column"),
        (XGBoostSettings(mode="ordinal_multiclass_expected", rounds=3), "log-odds"),
        (CatBoostSettings(mode="ordinal_multiclass_argmax", rounds=3), "log-odds"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(settings: ScorerSettings, said: str) -> None:
    scorer = fitted(settings)
    with pytest.raises(InputError, match=said):
        contributions_of(scorer, HELD_OUT.essays)
