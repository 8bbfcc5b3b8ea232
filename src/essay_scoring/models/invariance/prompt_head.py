"""Prompt identity as an auxiliary task (Caruana 1997, Machine Learning 28): multi-task learning."""

from __future__ import annotations

from essay_scoring.models.invariance.adversarial import ramp
from essay_scoring.models.invariance.prompt_classifier import PromptClassifier


class PromptHeadLoss(PromptClassifier):
    """min over scorer and classifier of: mean loss + strength ramp(p) entropy.

    The control arm of `adversarial`: all is the same but the sign of what enters the
    representation, so a gain that both show is not one of invariance.
    """

    def scale(self, progress: float) -> float:
        """Return +strength ramp(p): no reversal."""
        return self.strength * ramp(progress)
