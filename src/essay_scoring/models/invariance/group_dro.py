"""Group distributionally robust optimisation (Sagawa et al. 2020, ICLR, Algorithm 1)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from essay_scoring.core.scale import IntArray
from essay_scoring.models.invariance.invariance_settings import GroupDro
from essay_scoring.models.invariance.step import Invariance, Step


class GroupDroLoss(Invariance):
    """sum over prompts g of q_g L_g, where q leans towards the prompts of largest loss.

    L_g is the mean weighted loss of the essays of g in a step. After each step, for the prompts
    that were in it, q_g is multiplied by exp(eta (L_g + C / sqrt(n_g))), n_g being the training
    essays of g (equation 5, the small-group adjustment), and q is normalised. Algorithm 1 updates
    q first and steps with the new one. Here the step uses the q it began with: the losses of a
    whole step are known only once its last part was seen, so that q stays one step behind, and
    gradient accumulation changes nothing.
    """

    log_q: Tensor
    _adjustment: Tensor
    _sums: Tensor
    _counts: Tensor

    def __init__(self, settings: GroupDro, *, group_sizes: IntArray) -> None:
        super().__init__()
        self.balanced = settings.balanced
        self.step_size = settings.step_size
        n = len(group_sizes)
        adjustment = settings.adjustment / np.sqrt(np.maximum(group_sizes, 1))
        self.register_buffer("log_q", torch.full((n,), -np.log(n), dtype=torch.float32))
        self.register_buffer("_adjustment", torch.tensor(adjustment, dtype=torch.float32))
        self.register_buffer("_sums", torch.zeros(n), persistent=False)
        self.register_buffer("_counts", torch.zeros(n), persistent=False)
        self._epoch = np.zeros((2, n))

    def loss(self, step: Step) -> Tensor:
        """Return this part's share of the sum over prompts, under the q that the step began with.

        A prompt's share is q_g times the sum of its losses over its essays in the whole step.
        """
        self._sums.index_add_(0, step.groups, step.losses.detach().float())
        self._counts.index_add_(0, step.groups, torch.ones_like(step.losses).float())
        weights = (self.log_q.exp() / step.step_groups.clamp(min=1))[step.groups]
        return torch.sum(weights * step.losses)

    def end_step(self) -> None:
        """Move q towards the prompts whose loss was largest in the step just ended."""
        seen = self._counts > 0
        means = self._sums / self._counts.clamp(min=1)
        moved = torch.where(seen, self.step_size * (means + self._adjustment), 0.0)
        self.log_q.copy_(torch.log_softmax(self.log_q + moved, dim=0))
        self._epoch += torch.stack([self._sums, self._counts]).cpu().numpy()
        self._sums.zero_()
        self._counts.zero_()

    def epoch_figures(self) -> dict[str, float]:
        """Return the largest loss of a prompt over the epoch, and how far q leans.

        `group_effective` is exp(entropy of q): G where all prompts weigh the same, 1 where one
        has all the weight.
        """
        sums, counts = self._epoch
        q = self.log_q.exp()
        figures = {
            "group_worst_loss": float(np.max(sums / np.maximum(counts, 1))),
            "group_largest_share": float(q.max()),
            "group_effective": float(torch.exp(-(q * self.log_q).sum())),
        }
        self._epoch = np.zeros_like(self._epoch)
        return figures
