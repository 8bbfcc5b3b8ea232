"""What an invariance method sees of training, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Step:
    """One micro-batch of n essays, a part of one optimiser step; or, gathered, the whole step.

    `losses` (n,) are per-essay losses times training weight; `representations` (n, d); `groups`
    (n,) and `bands` (n,) number each essay's training prompt and score band. `step_essays` and
    `step_groups` (G,) count the essays, in all and by group, of the *whole* optimiser step, so that
    the parts of a step add up to the same loss however it is cut. `progress` is the share of
    training done, from 0 to 1.
    """

    losses: Tensor
    representations: Tensor
    groups: Tensor
    bands: Tensor
    step_essays: int
    step_groups: Tensor
    progress: float

    def group_risks(self) -> Tensor:
        """Return the mean loss of each group that the step holds, shape (groups present,).

        Only of a gathered step are these the risks of the whole optimiser step.
        """
        present, place = torch.unique(self.groups, return_inverse=True)
        sums = torch.zeros(len(present), dtype=self.losses.dtype, device=self.losses.device)
        counts = torch.bincount(place, minlength=len(present))
        return sums.index_add(0, place, self.losses) / counts


class Invariance(nn.Module, ABC):
    """A method: its loss, and what it learns (parameters) or tracks (buffers) besides the scorer.

    Parameters and buffers are part of every checkpoint.
    """

    balanced: bool = False
    """Whether training draws every group equally often instead of every essay once."""

    gathered: bool = False
    """Whether `loss` is asked once an optimiser step, of all its essays, instead of part by part.

    For a loss that is no sum over essays: one that compares groups. Its gradient is exact, however
    the step is cut into micro-batches; each of them is computed twice.
    """

    @abstractmethod
    def loss(self, step: Step) -> Tensor:
        """Return the scalar to differentiate; over the parts of a step it adds up."""

    def end_step(self) -> None:
        """Take note that all parts of an optimiser step were seen."""

    def epoch_figures(self) -> dict[str, float]:
        """Return named figures of the epoch just ended, and start afresh."""
        return {}


class MeanLoss(Invariance):
    """Empirical risk minimisation: the mean of the weighted losses of a step."""

    def loss(self, step: Step) -> Tensor:
        """Return this part's share of the mean loss."""
        return torch.sum(step.losses) / step.step_essays
