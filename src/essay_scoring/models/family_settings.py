"""Settings that every family of scorers shares."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from essay_scoring.core.settings import Settings
from essay_scoring.features.feature_settings import EncoderSettings

Mode = Literal["regression", "ordinal_multiclass_expected", "ordinal_multiclass_argmax"]
Weighting = Literal["none", "sqrt_inv_freq"]
MappingName = Literal[
    "round_half_band",
    "qwk_cutpoints_lfo",
    "qwk_cutpoints_inner",
    "qwk_cutpoints_shrunk",
    "mean_sigma_lfo",
    "mean_sigma_by_prompt",
]

Explanation = Literal["coefficients", "tree_shap"]


class TrainingSettings(Settings):
    """What every family shares, so that a candidate differs from its reference in one setting.

    `mapping` turns raw predictions into scores (`models/mapping.py`); `mean_sigma_by_prompt` is
    transductive: it uses the unlabelled essays of the prompt that is scored.
    `weight_power` is the power of median / count that weights rise with: 0.5 is the square root.
    `dev_share` is the share of the training essays cut, by whole groups, for early stopping;
    `ensemble` averages the raw predictions of that many seeds, base seed + i. `trait_share` is the
    share of the learnt target that is what the analytic scores say of the score.
    """

    weighting: Weighting = "none"
    weight_cap: float = Field(default=3.0, ge=1.0)
    weight_power: float = Field(default=0.5, gt=0, le=2)
    mapping: MappingName = "qwk_cutpoints_lfo"
    dev_share: float = Field(default=0.15, gt=0.0, lt=0.5)
    ensemble: int = Field(default=1, ge=1, le=50)
    trait_share: float = Field(default=0.0, ge=0.0, le=1.0)


class FamilySettings(Settings):
    """What every family says of itself, beside its own settings.

    `scorer_class` is `module:class` of its scorer. `reads_columns`: whether it reads feature
    columns. `explained_by`: how its predictions are taken apart, None where they cannot be.
    """

    scorer_class: ClassVar[str]
    reads_columns: ClassVar[bool] = True
    explained_by: ClassVar[Explanation | None] = None

    @property
    def encoder(self) -> EncoderSettings | None:
        """The encoder that the family itself reads essays with, None where it reads columns."""
        return None
