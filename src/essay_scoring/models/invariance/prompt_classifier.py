"""A prompt classifier on the representation: what `adversarial` and `prompt_head` share.

Both minimise, over the classifier, the mean cross-entropy of each essay's prompt. They differ in
one number: what the gradient is multiplied by where it enters the representation.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from essay_scoring.core.scale import IntArray
from essay_scoring.models.invariance.invariance_settings import Adversarial, PromptHead
from essay_scoring.models.invariance.step import Invariance, Step


class _ScaledGradient(torch.autograd.Function):
    """The identity forwards; backwards the gradient times a number."""

    @staticmethod
    def forward(context: Any, values: Tensor, scale: float) -> Tensor:
        context.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return context.scale * gradients[0], None


def scale_gradient(values: Tensor, scale: float) -> Tensor:
    """Return the values as they are; the gradient that flows back through them is multiplied."""
    scaled: Tensor = _ScaledGradient.apply(values, scale)  # type: ignore[no-untyped-call]
    return scaled


class PromptClassifier(Invariance):
    """The mean loss, plus a classifier's mean cross-entropy over the essays of a step.

    The classifier's own gradient is whole, whatever `scale` says. `group_sizes` (G,) counts the
    training essays of each prompt; `width` is that of the representation.
    """

    def __init__(
        self,
        settings: Adversarial | PromptHead,
        *,
        group_sizes: IntArray,
        n_bands: int,
        width: int,
    ) -> None:
        super().__init__()
        self.strength = settings.strength
        self.n_bands = n_bands if settings.condition_on_band else 0
        self.chance = 1 / len(group_sizes)
        self.majority = float(group_sizes.max() / group_sizes.sum())
        seen = width + self.n_bands
        self.classifier = (
            nn.Sequential(
                nn.Linear(seen, settings.hidden),
                nn.ReLU(),
                nn.Linear(settings.hidden, len(group_sizes)),
            )
            if settings.hidden
            else nn.Linear(seen, len(group_sizes))
        )
        self._right, self._essays, self._entropy = 0, 0, 0.0

    @abstractmethod
    def scale(self, progress: float) -> float:
        """Return what the gradient is multiplied by where it enters the representation."""

    def loss(self, step: Step) -> Tensor:
        """Return this part's share of the mean loss and of the mean cross-entropy."""
        seen = scale_gradient(step.representations.float(), self.scale(step.progress))
        if self.n_bands:
            seen = torch.cat([seen, one_hot(step.bands, self.n_bands).to(seen.dtype)], dim=1)
        logits = self.classifier(seen)
        entropy = cross_entropy(logits, step.groups, reduction="sum")
        self._right += int((logits.argmax(dim=1) == step.groups).sum())
        self._entropy += float(entropy.detach())
        self._essays += len(step.groups)
        total: Tensor = (step.losses.sum() + entropy) / step.step_essays
        return total

    def epoch_figures(self) -> dict[str, float]:
        """Return the classifier's accuracy and cross-entropy beside chance and the largest share.

        They are measured while training, on each batch before the classifier learnt from it.
        """
        essays = max(self._essays, 1)
        figures = {
            "prompt_accuracy": self._right / essays,
            "prompt_entropy": self._entropy / essays,
            "prompt_chance": self.chance,
            "prompt_majority": self.majority,
        }
        self._right, self._essays, self._entropy = 0, 0, 0.0
        return figures
