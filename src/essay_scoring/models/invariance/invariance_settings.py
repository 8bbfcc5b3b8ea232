"""Settings of the invariance methods: one tagged union, one member a method."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from essay_scoring.models.invariance.coral import Coral
from essay_scoring.models.invariance.method import InvarianceMethod
from essay_scoring.models.invariance.vrex import VRex


class NoInvariance(InvarianceMethod):
    """The mean of the losses: empirical risk minimisation."""

    reduces_prompt_dependence: ClassVar[bool] = False

    method: Literal["none"] = "none"


class Adversarial(InvarianceMethod):
    """A prompt classifier behind reversed gradients (Ganin et al. 2016).

    `strength` is the final weight of the reversed gradient. `condition_on_band` shows the
    classifier the score band as well, so that only what bands do not explain is removed. With 0
    `hidden` units the classifier sees where a prompt's mean lies, and not along what its essays
    spread: a topic's words that come with high scores on one side, and low ones on the other.
    """

    method: Literal["adversarial"] = "adversarial"
    strength: float = Field(default=1.0, gt=0)
    condition_on_band: bool = False
    hidden: int = Field(default=128, ge=0, le=4096)


class PromptHead(InvarianceMethod):
    """The same classifier without reversal: the control arm of `adversarial`."""

    reduces_prompt_dependence: ClassVar[bool] = False

    method: Literal["prompt_head"] = "prompt_head"
    strength: float = Field(default=1.0, gt=0)
    condition_on_band: bool = False
    hidden: int = Field(default=128, ge=0, le=4096)


class GroupDro(InvarianceMethod):
    """Group distributionally robust optimisation over training prompts (Sagawa et al. 2020).

    `step_size` is eta of Algorithm 1, `adjustment` the C of the small-group adjustment C / sqrt(n);
    `balanced` draws every prompt equally often. The paper's eta of 0.01 goes with tens of thousands
    of steps: over the few hundred of a fine-tuning it leaves the prompts' weights as they were.
    """

    method: Literal["group_dro"] = "group_dro"
    step_size: float = Field(default=0.1, gt=0)
    adjustment: float = Field(default=0.0, ge=0)
    balanced: bool = True


InvarianceSettings = Annotated[
    NoInvariance | Adversarial | PromptHead | GroupDro | VRex | Coral,
    Field(discriminator="method"),
]
"""Methods that ask of a representation that it say nothing of the prompt, or serve every prompt."""
