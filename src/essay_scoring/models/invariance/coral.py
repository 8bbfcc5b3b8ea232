"""Correlation alignment (deep CORAL; Sun and Saenko 2016, ECCV workshops, equations 1 to 3)."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from essay_scoring.models.invariance.method import GatheredMethod

if TYPE_CHECKING:
    from torch import Tensor

    from essay_scoring.models.invariance.step import Step


class Coral(GatheredMethod):
    """The mean loss, plus `strength` times how far the prompts' covariances lie apart.

    The paper aligns two domains; here every prompt is one, and the distance is the mean over the
    pairs of prompts that have two essays or more in an optimiser step, 0 where there is no pair.
    """

    method: Literal["coral"] = "coral"
    strength: float = Field(default=1.0, ge=0)
    balanced: bool = True

    def loss(self, step: Step) -> Tensor:
        """Return mean loss + strength mean over pairs of ||C_a - C_b||_F^2 / (4 d^2)."""
        mean, width = step.losses.sum() / step.step_essays, step.representations.shape[1]
        rows = [step.groups == group for group in sorted(set(step.groups.tolist()))]
        covariances = [
            covariance(step.representations[of].float()) for of in rows if int(of.sum()) > 1
        ]
        distances = [((a - b) ** 2).sum() for a, b in combinations(covariances, 2)]
        if not distances:
            return mean
        return mean + self.strength * sum(distances) / (len(distances) * 4 * width**2)


def covariance(rows: Tensor) -> Tensor:
    """Return the covariance of n > 1 rows (n, d) with divisor n - 1, shape (d, d)."""
    centred = rows - rows.mean(dim=0)
    return centred.T @ centred / (len(rows) - 1)
