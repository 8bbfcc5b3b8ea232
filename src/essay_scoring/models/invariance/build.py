"""From settings to invariance methods: the one list of them."""

from __future__ import annotations

import torch
from torch import Tensor

from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import IntArray
from essay_scoring.models.invariance.adversarial import AdversarialLoss
from essay_scoring.models.invariance.group_dro import GroupDroLoss
from essay_scoring.models.invariance.invariance_settings import (
    Adversarial,
    GroupDro,
    InvarianceSettings,
    NoInvariance,
    PromptHead,
)
from essay_scoring.models.invariance.method import GatheredMethod
from essay_scoring.models.invariance.prompt_head import PromptHeadLoss
from essay_scoring.models.invariance.step import Invariance, MeanLoss, Step


def build_invariance(
    settings: InvarianceSettings, *, group_sizes: IntArray, n_bands: int, width: int, seed: int
) -> Invariance:
    """Return the method, on the CPU: what it learns is drawn from the seed, and nothing else is.

    `group_sizes` (G,) counts the training essays of each prompt, `n_bands` the score bands, `width`
    the representation's columns.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "invariance"))
        match settings:
            case NoInvariance():
                return MeanLoss()
            case Adversarial():
                return AdversarialLoss(
                    settings, group_sizes=group_sizes, n_bands=n_bands, width=width
                )
            case PromptHead():
                return PromptHeadLoss(
                    settings, group_sizes=group_sizes, n_bands=n_bands, width=width
                )
            case GroupDro():
                return GroupDroLoss(settings, group_sizes=group_sizes)
            case GatheredMethod():
                return GatheredLoss(settings)


class GatheredLoss(Invariance):
    """The loss of a method that is one function of the whole optimiser step."""

    gathered = True

    def __init__(self, settings: GatheredMethod) -> None:
        super().__init__()
        self.settings = settings
        self.balanced = settings.balanced

    def loss(self, step: Step) -> Tensor:
        """Return the method's loss of a whole step."""
        return self.settings.loss(step)
