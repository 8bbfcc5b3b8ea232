"""Variance risk extrapolation (V-REx; Krueger et al. 2021, ICML, equation 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from essay_scoring.models.invariance.method import GatheredMethod

if TYPE_CHECKING:
    from torch import Tensor

    from essay_scoring.models.invariance.step import Step


class VRex(GatheredMethod):
    """The mean of the prompts' risks, plus `beta` times the variance of these risks.

    The risk of a prompt is the mean weighted loss of its essays in an optimiser step. The paper
    adds the risks up; divided by their number its objective is this one, with beta a risk.
    """

    method: Literal["vrex"] = "vrex"
    beta: float = Field(default=1.0, ge=0)

    def loss(self, step: Step) -> Tensor:
        """Return mean(R) + beta Var(R) over the prompts of the step, Var with divisor m."""
        risks = step.group_risks()
        return risks.mean() + self.beta * risks.var(correction=0)
