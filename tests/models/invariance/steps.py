"""Made steps: losses, representations and groups small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from essay_scoring.models.invariance.step import Invariance, Step


def made_step(
    losses: Tensor,
    groups: Sequence[int],
    *,
    representations: Tensor | None = None,
    bands: Sequence[int] | None = None,
    n_groups: int = 2,
    progress: float = 1.0,
) -> Step:
    """Return a whole step of one part."""
    n = len(groups)
    numbered = torch.tensor(groups)
    return Step(
        losses=losses,
        representations=torch.zeros(n, 2) if representations is None else representations,
        groups=numbered,
        bands=torch.tensor([0] * n if bands is None else bands),
        step_essays=n,
        step_groups=torch.bincount(numbered, minlength=n_groups),
        progress=progress,
    )


def part_of(step: Step, rows: slice) -> Step:
    """Return some essays of a step as one of its parts: the counts are those of the whole."""
    return Step(
        step.losses[rows],
        step.representations[rows],
        step.groups[rows],
        step.bands[rows],
        step.step_essays,
        step.step_groups,
        step.progress,
    )


def gradients(method: Invariance, parts: Sequence[Step], leaves: Sequence[Tensor]) -> list[Tensor]:
    """Return what the parts' losses add up to in each leaf's gradient, then end the step."""
    for leaf in leaves:
        leaf.grad = None
    for part in parts:
        torch.autograd.backward(method.loss(part))
    method.end_step()
    return [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.clone() for leaf in leaves]
