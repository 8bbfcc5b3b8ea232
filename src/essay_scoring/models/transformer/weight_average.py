"""The mean of the weights after every step of the later epochs (Izmailov et al. 2018; ERM++, 2023).

Weights met late in training lie around a flat minimum; their mean lies within it, and errs less on
data unlike the training data than any single one of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from essay_scoring.models.transformer.network import EssayNetwork

_STEPS, _PREFIX = "steps", "mean/"


class WeightAverage:
    """A running mean of what a network learns, from epoch `first` (1, 2, ..) on; None: never.

    Adapters are averaged factor by factor, not their product.
    """

    def __init__(self, first: int | None) -> None:
        self._first, self._steps = first, 0
        self._mean: dict[str, Tensor] = {}

    def add(self, network: EssayNetwork, epoch: int) -> None:
        """Count the network's weights in, where `epoch` (from 0) is one of those averaged."""
        if self._first is None or epoch + 1 < self._first:
            return
        self._steps += 1
        weights = network.trained_state()
        if not self._mean:
            self._mean = {name: value.float() for name, value in weights.items()}
        for name, value in weights.items():
            self._mean[name] += (value.float() - self._mean[name]) / self._steps

    @contextlib.contextmanager
    def in_place(self, network: EssayNetwork) -> Iterator[None]:
        """Give the network its mean weights, and those it learns on with back afterwards."""
        if not self._mean:
            yield
            return
        own = network.trained_state()
        network.load_trained_state(self._mean)
        try:
            yield
        finally:
            network.load_trained_state(own)

    def state(self) -> dict[str, Tensor]:
        """Return all that a later process needs to go on averaging."""
        kept = {f"{_PREFIX}{name}": value.clone() for name, value in self._mean.items()}
        return {_STEPS: torch.tensor(self._steps), **kept}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        self._steps = int(state[_STEPS])
        self._mean = {
            name.removeprefix(_PREFIX): value
            for name, value in state.items()
            if name.startswith(_PREFIX)
        }
