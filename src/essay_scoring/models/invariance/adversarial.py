"""Domain-adversarial training (Ganin et al. 2016, JMLR 17, equations 9, 10 and 14)."""

from __future__ import annotations

import math

from essay_scoring.models.invariance.prompt_classifier import PromptClassifier


def ramp(progress: float) -> float:
    """Return 2 / (1 + exp(-10 p)) - 1: 0 at the start of training, 0.987 half way, 1 at the end.

    While the classifier still guesses, its gradient is noise, which the ramp keeps out.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


class AdversarialLoss(PromptClassifier):
    """min over the scorer, max over the classifier of: mean loss - strength ramp(p) entropy.

    The classifier learns to name the prompt; its gradient enters the representation times
    -strength ramp(p), so that the scorer learns to give it nothing to name the prompt by.
    """

    def scale(self, progress: float) -> float:
        """Return -strength ramp(p): the reversal."""
        return -self.strength * ramp(progress)
