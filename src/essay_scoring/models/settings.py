"""Settings of scorers: one tagged union, one member a family."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from essay_scoring.core.settings import Settings

Mode = Literal["regression", "ordinal_multiclass_expected", "ordinal_multiclass_argmax"]
Weighting = Literal["none", "sqrt_inv_freq"]
MappingName = Literal["round_half_band", "qwk_cutpoints_lfo", "qwk_cutpoints_inner"]


class TrainingSettings(Settings):
    """What every family shares, so that a candidate differs from its reference in one setting.

    `dev_share` is the share of the training essays cut, by whole groups, for early stopping;
    `ensemble` averages the raw predictions of that many seeds, base seed + i.
    """

    weighting: Weighting = "none"
    weight_cap: float = Field(default=3.0, ge=1.0)
    mapping: MappingName = "qwk_cutpoints_lfo"
    dev_share: float = Field(default=0.15, gt=0.0, lt=0.5)
    ensemble: int = Field(default=1, ge=1, le=50)


class MeanSettings(Settings):
    """Predicts the mean training score: what agreement is worth nothing."""

    family: Literal["mean"] = "mean"


class LengthSettings(Settings):
    """Predicts from word and character counts alone: what counting is worth."""

    family: Literal["length"] = "length"


class RidgeSettings(Settings):
    """Ridge regression on standardised columns; the strength with the least error on `dev`."""

    family: Literal["ridge"] = "ridge"
    alphas: tuple[float, ...] = Field(default=(10.0, 100.0, 1000.0, 10000.0), min_length=1)


class XGBoostSettings(Settings):
    """Boosted trees by XGBoost; the defaults are the reference `b28c376a73`."""

    family: Literal["xgboost"] = "xgboost"
    mode: Mode = "regression"
    max_depth: int = Field(default=3, ge=1, le=16)
    min_child_weight: float = Field(default=20.0, ge=0)
    reg_lambda: float = Field(default=5.0, ge=0)
    reg_alpha: float = Field(default=1.0, ge=0)
    gamma: float = Field(default=0.0, ge=0)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    colsample_bytree: float = Field(default=0.6, gt=0, le=1)
    subsample: float = Field(default=0.8, gt=0, le=1)
    rounds: int = Field(default=1500, ge=1)
    patience: int = Field(default=100, ge=1)


class CatBoostSettings(Settings):
    """Boosted trees by CatBoost on the same columns."""

    family: Literal["catboost"] = "catboost"
    mode: Mode = "regression"
    depth: int = Field(default=4, ge=1, le=10)
    l2_leaf_reg: float = Field(default=5.0, ge=0)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    rsm: float = Field(default=0.6, gt=0, le=1)
    subsample: float = Field(default=0.8, gt=0, le=1)
    rounds: int = Field(default=1500, ge=1)
    patience: int = Field(default=100, ge=1)


ScorerSettings = Annotated[
    MeanSettings | LengthSettings | RidgeSettings | XGBoostSettings | CatBoostSettings,
    Field(discriminator="family"),
]
