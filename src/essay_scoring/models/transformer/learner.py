"""A network, what trains it, and one optimiser step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.scale import IntArray
from essay_scoring.features.precision import Arithmetic
from essay_scoring.models.invariance.step import Invariance, Step
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.batching import cut_step
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.inference import not_finite_alone
from essay_scoring.models.transformer.network import EssayNetwork, Output
from essay_scoring.models.transformer.optimiser import (
    build_optimiser,
    load_optimiser_state,
    optimiser_state,
    rate_factor,
    set_rates,
)
from essay_scoring.models.transformer.thread_pool import ALONE, Crew, Turn
from essay_scoring.models.transformer.training_dataset import Lessons

State = dict[str, Tensor]
_PARTS = ("network", "invariance", "optimiser", "scaler")


@dataclass(frozen=True)
class Moment:
    """Which optimiser step of training is at hand, from 0 of `total`, and where that is."""

    step: int
    total: int
    place: Place


@dataclass(frozen=True, eq=False)
class Pass:
    """What one pass adds to a step: its losses together, and a gradient of each parameter."""

    loss: float
    gradients: Sequence[Tensor | None]


def essay_losses(values: Tensor, labels: Tensor, weights: Tensor, trait_weight: float) -> Tensor:
    """Return each essay's loss times its weight, shape (n,).

    It is the squared error of the score, column 0, plus `trait_weight` times the mean squared error
    over the rated traits: the other columns of `labels` (n, 1 + traits) where they are not NaN.
    """
    losses = (values[:, 0] - labels[:, 0]) ** 2
    if labels.shape[1] > 1:
        rated = ~torch.isnan(labels[:, 1:])
        errors = torch.where(rated, values[:, 1:] - labels[:, 1:].nan_to_num(), 0.0)
        losses = losses + trait_weight * (errors**2).sum(dim=1) / rated.sum(dim=1).clamp(min=1)
    return losses * weights


class Learner:
    """Takes optimiser steps on a network and on what the invariance method learns."""

    def __init__(
        self,
        network: EssayNetwork,
        invariance: Invariance,
        settings: TransformerSettings,
        arithmetic: Arithmetic,
        crew: Crew = ALONE,
    ) -> None:
        self.network, self.invariance = network, invariance
        self.settings, self.arithmetic, self.crew = settings, arithmetic, crew
        learnt = network.parameter_groups()
        method = list(invariance.named_parameters())
        self.optimiser = build_optimiser({**learnt, "invariance": method}, settings)
        # Clipped apart: an adversary's gradient must not shorten the scorer's step.
        self._clipped = {
            "network": [parameter for named in learnt.values() for _, parameter in named],
            "invariance method": [parameter for _, parameter in method],
        }
        self._learnt = [parameter for named in self._clipped.values() for parameter in named]
        # Without it small gradients would be zero in fp16.
        self.scaler = torch.amp.GradScaler(
            arithmetic.device, enabled=arithmetic.precision == "fp16"
        )

    def step(self, lessons: Lessons, rows: IntArray, moment: Moment) -> float:
        """Learn from these essays and return the mean of their weighted losses.

        The step is cut into passes; how does not change it. Raises NotFiniteError for a value, loss
        or gradient that is not a finite number, before any weight has changed.
        """
        self.network.train()
        self.invariance.train()
        self.optimiser.zero_grad(set_to_none=True)
        settings, total = self.settings, 0.0
        set_rates(self.optimiser, rate_factor(moment.step, moment.total, settings))
        sizes = np.bincount(lessons.groups[rows], minlength=len(lessons.group_sizes))
        step_groups = torch.as_tensor(sizes, device=self.arithmetic.device)

        def gone_through(part: IntArray, turn: Turn) -> Pass:
            with self.arithmetic.autocast():
                output = self.network([lessons.essays[row] for row in part])
            # The method keeps count of what it sees.
            with turn:
                step = self._step(output, lessons, part, step_groups, moment)
                loss = self.invariance.loss(step)
            checked = (output.values, step.losses, loss)
            self._require_finite(checked, lessons, part, moment.place)
            scaled = self.scaler.scale(loss)
            gradients = torch.autograd.grad(scaled, self._learnt, allow_unused=True)
            return Pass(float(step.losses.detach().sum()), gradients)

        parts = cut_step(rows, lessons.tokens, settings.batch_size, settings.tokens_per_pass)
        for done in self.crew.each(gone_through, parts):
            total += done.loss
            self._add(done.gradients)
        self._descend(lessons, rows, moment.place)
        self.invariance.end_step()
        return total / len(rows)

    def _add(self, gradients: Sequence[Tensor | None]) -> None:
        for parameter, gradient in zip(self._learnt, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = gradient
            elif gradient is not None:
                parameter.grad += gradient

    def _step(
        self,
        output: Output,
        lessons: Lessons,
        part: IntArray,
        step_groups: Tensor,
        moment: Moment,
    ) -> Step:
        """Return what the invariance method sees of one forward pass."""
        device = self.arithmetic.device
        labels = torch.as_tensor(lessons.labels[part], device=device)
        weights = torch.as_tensor(lessons.weights[part], dtype=torch.float32, device=device)
        return Step(
            losses=essay_losses(output.values, labels, weights, self.settings.trait_weight),
            representations=output.representations,
            groups=torch.as_tensor(lessons.groups[part], device=device),
            bands=torch.as_tensor(lessons.bands[part], device=device),
            step_essays=int(step_groups.sum()),
            step_groups=step_groups,
            progress=moment.step / moment.total,
        )

    def _require_finite(
        self,
        numbers: tuple[Tensor, Tensor, Tensor],
        lessons: Lessons,
        part: IntArray,
        place: Place,
    ) -> None:
        """Raise NotFiniteError unless values (n, heads), losses (n,) and the loss are finite."""
        values, losses, loss = (number.detach() for number in numbers)
        bad_values = ~torch.isfinite(values).all(dim=1)
        bad = bad_values | ~torch.isfinite(losses)
        # One question for all three: on a GPU each answer has to be waited for.
        if not bool(bad.any() | ~torch.isfinite(loss)):
            return
        what, rows = "the loss", part[bad.cpu().numpy()] if bool(bad.any()) else part
        if bool(bad_values.any()):
            what, suspects = "the value that the network gives", part[bad_values.cpu().numpy()]
            guilty = not_finite_alone(
                self.network, lessons.essays, suspects.tolist(), self.arithmetic
            )
            rows = np.array(guilty)
        raise _stop(f"{what} of {len(rows)} of {len(part)} essays is", lessons, rows, place)

    def _descend(self, lessons: Lessons, rows: IntArray, place: Place) -> None:
        """Clip the gradients and change the weights.

        fp16 gradients overflow now and then: the scaler then leaves the step out and scales less,
        so that only gradients which overflow unscaled stop training.
        """
        self.scaler.unscale_(self.optimiser)
        for name, parameters in self._clipped.items():
            norm = nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
            overflows = self.scaler.is_enabled() and self.scaler.get_scale() > 1.0
            if not bool(torch.isfinite(norm)) and not overflows:
                raise _stop(f"the gradient of the {name} is", lessons, rows, place)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def state(self) -> State:
        """Return a copy of all that a later process needs to take the next step, on the CPU."""
        scaler = {
            k: torch.tensor(v, dtype=torch.float64) for k, v in self.scaler.state_dict().items()
        }
        parts = (
            self.network.trained_state(),
            _copied(self.invariance.state_dict()),
            optimiser_state(self.optimiser),
            scaler,
        )
        return {
            f"{part}/{name}": value
            for part, tensors in zip(_PARTS, parts, strict=True)
            for name, value in tensors.items()
        }

    def load_state(self, state: State) -> None:
        """Go on from what `state` returned of a learner with the same settings."""
        parts: dict[str, State] = {part: {} for part in _PARTS}
        for key, value in state.items():
            part, _, name = key.partition("/")
            parts[part][name] = value
        self.network.load_trained_state(parts["network"])
        self.invariance.load_state_dict(parts["invariance"])
        load_optimiser_state(self.optimiser, parts["optimiser"])
        if parts["scaler"]:
            self.scaler.load_state_dict({k: v.item() for k, v in parts["scaler"].items()})


def _copied(state: Mapping[str, Tensor]) -> State:
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


def _stop(what: str, lessons: Lessons, rows: IntArray, place: Place) -> NotFiniteError:
    prompts = [lessons.prompts[row] for row in rows]
    return place.stop(what, prompts, [lessons.essays[row].tokens for row in rows])
