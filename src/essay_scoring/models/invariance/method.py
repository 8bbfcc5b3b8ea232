"""What every invariance method declares, and the base of those that are one function of a step."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from essay_scoring.core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from essay_scoring.models.invariance.step import Step


class InvarianceMethod(Settings):
    """The base of all methods: each says whether it makes a scorer depend less on the prompt."""

    reduces_prompt_dependence: ClassVar[bool] = True


class GatheredMethod(InvarianceMethod):
    """A method that learns nothing itself: its loss is a function of the whole optimiser step.

    `balanced` draws every prompt equally often, so that each step holds several essays of each.
    """

    balanced: bool = False

    @abstractmethod
    def loss(self, step: Step) -> Tensor:
        """Return the scalar to differentiate, of all essays of the step at once."""
