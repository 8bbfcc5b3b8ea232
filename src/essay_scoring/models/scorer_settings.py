"""Settings of scorers: one tagged union, one member a family."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from essay_scoring.core.settings import Settings
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.models.family_settings import (
    Explanation,
    FamilySettings,
    MappingName,
    Mode,
    TrainingSettings,
    Weighting,
)
from essay_scoring.models.invariance.invariance_settings import InvarianceSettings, NoInvariance

__all__ = [
    "FamilySettings",
    "MappingName",
    "Mode",
    "TrainingSettings",
    "Weighting",
]


class MeanSettings(FamilySettings):
    """Predicts the mean training score: what agreement is worth nothing."""

    scorer_class: ClassVar[str] = "essay_scoring.models.baselines:MeanScorer"
    reads_columns: ClassVar[bool] = False
    family: Literal["mean"] = "mean"


class LengthSettings(FamilySettings):
    """Predicts from word and character counts alone: what counting is worth."""

    scorer_class: ClassVar[str] = "essay_scoring.models.baselines:LengthScorer"
    reads_columns: ClassVar[bool] = False
    family: Literal["length"] = "length"


class RidgeSettings(FamilySettings):
    """Ridge regression on standardised columns; the strength with the least error on `dev`."""

    scorer_class: ClassVar[str] = "essay_scoring.models.ridge:RidgeScorer"
    explained_by: ClassVar[Explanation | None] = "coefficients"
    family: Literal["ridge"] = "ridge"
    alphas: tuple[PositiveFloat, ...] = Field(default=(10.0, 100.0, 1000.0, 10000.0), min_length=1)


class SVRSettings(FamilySettings):
    """Support vector regression with a Gaussian kernel on standardised columns.

    `penalties` are tried in turn, the one with the least error on `dev` is kept. The kernel is
    exp(-gamma * mean squared difference of two essays' columns); errors below `epsilon` points of
    the training scale (0 to 4) cost nothing.
    """

    scorer_class: ClassVar[str] = "essay_scoring.models.svr:SVRScorer"
    family: Literal["svr"] = "svr"
    penalties: tuple[PositiveFloat, ...] = Field(default=(0.25, 0.5, 1.0), min_length=1)
    gamma: float = Field(default=0.3, gt=0)
    epsilon: float = Field(default=0.1, ge=0)


class XGBoostSettings(FamilySettings):
    """Boosted trees by XGBoost; the defaults are the reference `b28c376a73`."""

    scorer_class: ClassVar[str] = "essay_scoring.models.boosted_xgboost:XGBoostScorer"
    explained_by: ClassVar[Explanation | None] = "tree_shap"
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

    scorer_class: ClassVar[str] = "essay_scoring.models.boosted_catboost:CatBoostScorer"
    explained_by: ClassVar[Explanation | None] = "tree_shap"
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


class LoraSettings(Settings):
    """Low-rank adapters (Hu et al. 2021); `targets` None means the linear maps of attention."""

    rank: int = Field(default=16, ge=1, le=1024)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: tuple[str, ...] | None = None


class TransformerSettings(FamilySettings):
    """A fine-tuned encoder: whole essays in chunks, one representation and one loss an essay.

    The encoder is cut after `layer` layers (None: all) and read there, or as a learnt mix of the
    layers it keeps. `trained_layers` are the top ones that learn (None: all, and the embeddings
    under full fine-tuning). `cache_frozen_layers` keeps the states below those on disk, once for
    all folds, epochs, arms and seeds. `lp_ft` starts the head at random, or at a ridge regression
    on the untrained encoder's representations. From epoch `average_from` on (1, 2, ..) weights are
    averaged over the steps; `dev` judges their mean, and the mean is kept. An optimiser step has
    batch_size * accumulation essays; a micro-batch at most `batch_size` of them and, but for a
    single long one, `tokens_per_micro_batch` tokens.
    """

    scorer_class: ClassVar[str] = "essay_scoring.models.transformer.scorer:TransformerScorer"
    reads_columns: ClassVar[bool] = False
    family: Literal["transformer"] = "transformer"
    model_name: str = "all-MiniLM-L6-v2"
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    max_length: int = Field(default=512, ge=16)
    chunk_overlap_tokens: int = Field(default=128, ge=0)
    layer: int | None = Field(default=None, ge=1)
    reading: Literal["layer", "mix"] = "layer"
    pooling: Literal["mean", "attention"] = "mean"
    lp_ft: Literal["random", "ridge"] = "random"
    use_lora: bool = True
    lora: LoraSettings = LoraSettings()
    trained_layers: int | None = Field(default=None, ge=1)
    cache_frozen_layers: bool = False
    trait_weight: float = Field(default=0.0, ge=0)
    invariance: InvarianceSettings = NoInvariance()
    epochs: int = Field(default=3, ge=1, le=100)
    patience: int = Field(default=2, ge=1)
    average_from: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    head_learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    schedule: Literal["linear", "cosine"] = "linear"
    clip_norm: float = Field(default=1.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=8, ge=1)
    accumulation: int = Field(default=4, ge=1)
    tokens_per_micro_batch: int = Field(default=4096, ge=64)
    gradient_checkpointing: bool = False
    mixed_precision: Literal["none", "bf16", "fp16", "auto"] = "auto"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.chunk_overlap_tokens * 2 > self.max_length:
            raise ValueError("chunk_overlap_tokens must be at most half of max_length")
        if self.cache_frozen_layers and self.trained_layers is None:
            raise ValueError(
                "cache_frozen_layers needs trained_layers: the layers below them are cached"
            )
        if self.average_from is not None and self.average_from > self.epochs:
            raise ValueError("average_from must be one of the epochs")
        return self

    @property
    def encoder(self) -> EncoderSettings:
        """The encoder, its pinned hash and how essays are cut into chunks."""
        return EncoderSettings(
            name=self.model_name,
            sha256=self.sha256,
            max_length=self.max_length,
            overlap=self.chunk_overlap_tokens,
        )


SingleSettings = (
    MeanSettings
    | LengthSettings
    | RidgeSettings
    | SVRSettings
    | XGBoostSettings
    | CatBoostSettings
    | TransformerSettings
)


class BlendMember(Settings):
    """A scorer of a blend, and which of the run's feature columns it sees.

    `columns`: all of them, those that have a name of their own, the embeddings, or a list of names,
    in which `*` stands for any characters.
    """

    scorer: Annotated[SingleSettings, Field(discriminator="family")]
    columns: Literal["all", "named", "embeddings"] | tuple[str, ...] = "all"


class BlendSettings(FamilySettings):
    """The mean of several scorers' raw predictions, each fitted on the same essays.

    `weights`: all equal, or those, none negative, with the least squared error on `dev`.
    """

    scorer_class: ClassVar[str] = "essay_scoring.models.blend:BlendScorer"
    family: Literal["blend"] = "blend"
    members: tuple[BlendMember, ...] = Field(min_length=2, max_length=20)
    weights: Literal["equal", "dev"] = "equal"

    @model_validator(mode="after")
    def _one_encoder(self) -> Self:
        if len({member.scorer.encoder for member in self.members} - {None}) > 1:
            raise ValueError("the transformers of a blend must read with one encoder")
        return self

    @property
    def encoder(self) -> EncoderSettings | None:
        """The encoder that its transformers read essays with, if there are any."""
        return next((m.scorer.encoder for m in self.members if m.scorer.encoder), None)


ScorerSettings = Annotated[SingleSettings | BlendSettings, Field(discriminator="family")]
