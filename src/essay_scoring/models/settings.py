"""Settings of scorers: one tagged union, one member a family."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat

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


class FamilySettings(Settings):
    """What every family says of itself: whether it reads feature columns."""

    reads_columns: ClassVar[bool] = True


class MeanSettings(FamilySettings):
    """Predicts the mean training score: what agreement is worth nothing."""

    reads_columns: ClassVar[bool] = False
    family: Literal["mean"] = "mean"


class LengthSettings(FamilySettings):
    """Predicts from word and character counts alone: what counting is worth."""

    reads_columns: ClassVar[bool] = False
    family: Literal["length"] = "length"


class RidgeSettings(FamilySettings):
    """Ridge regression on standardised columns; the strength with the least error on `dev`."""

    family: Literal["ridge"] = "ridge"
    alphas: tuple[PositiveFloat, ...] = Field(default=(10.0, 100.0, 1000.0, 10000.0), min_length=1)


class XGBoostSettings(FamilySettings):
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


class CatBoostSettings(FamilySettings):
    """Boosted trees by CatBoost on the same columns.

    `border_count` is the number of cuts tried per column. CatBoost's own default, 254, takes two to
    three times as long, and r was 0.61 to 0.62 at every count from 32 to 254 (1,511 made essays).
    """

    family: Literal["catboost"] = "catboost"
    mode: Mode = "regression"
    depth: int = Field(default=4, ge=1, le=10)
    l2_leaf_reg: float = Field(default=5.0, ge=0)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    border_count: int = Field(default=64, ge=1, le=254)
    rsm: float = Field(default=0.6, gt=0, le=1)
    subsample: float = Field(default=0.8, gt=0, le=1)
    rounds: int = Field(default=1500, ge=1)
    patience: int = Field(default=100, ge=1)


ScorerSettings = Annotated[
    MeanSettings | LengthSettings | RidgeSettings | XGBoostSettings | CatBoostSettings,
    Field(discriminator="family"),
]
