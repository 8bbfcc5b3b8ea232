"""A network, what trains it, and one optimiser step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

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
from essay_scoring.models.transformer.thread_pool import INLINE, InOrder, ThreadPool
from essay_scoring.models.transformer.training_dataset import TrainingDataset

State = dict[str, Tensor]
_PARTS = ("network", "invariance", "optimiser", "scaler")


@dataclass(frozen=True)
class StepPosition:
    """Which optimiser step of training is at hand, from 0 of `total`, and where that is."""

    step: int
    total: int
    place: Place


@dataclass(frozen=True, eq=False)
class MicroBatchGradients:
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
        pool: ThreadPool = INLINE,
    ) -> None:
        self.network, self.invariance = network, invariance
        self.settings, self.arithmetic, self.pool = settings, arithmetic, pool
        self.largest_step, self.bucketed = 0, True
        learnt = network.parameter_groups()
        method = list(invariance.named_parameters())
        self.optimiser = build_optimiser({**learnt, "invariance": method}, settings)
        # Clipped apart: an adversary's gradient must not shorten the scorer's step.
        self._clipped = {
            "network": [parameter for named in learnt.values() for _, parameter in named],
            "invariance method": [parameter for _, parameter in method],
        }
        self.learnt = [parameter for named in self._clipped.values() for parameter in named]
        # Without it small gradients would be zero in fp16.
        self.scaler = torch.amp.GradScaler(
            arithmetic.device, enabled=arithmetic.precision == "fp16"
        )

    def step(self, dataset: TrainingDataset, rows: IntArray, position: StepPosition) -> float:
        """Learn from these essays and return the mean of their weighted losses.

        The step is cut into passes; how does not change it. Raises NotFiniteError for a value, loss
        or gradient that is not a finite number, before any weight has changed.
        """
        self.network.train()
        self.invariance.train()
        self.optimiser.zero_grad(set_to_none=True)
        settings, total = self.settings, 0.0
        set_rates(self.optimiser, rate_factor(position.step, position.total, settings))
        sizes = np.bincount(dataset.groups[rows], minlength=len(dataset.group_sizes))
        step_groups = torch.as_tensor(sizes, device=self.arithmetic.device)

        parts = cut_step(rows, dataset.tokens, settings.batch_size, settings.tokens_per_micro_batch)
        self._note(rows, [[dataset.tokens[row] for row in part] for part in parts])
        micro = _MicroBatches(self, dataset, position, step_groups)
        if self.invariance.gathered:
            upstream = micro.gathered(parts)
            results = self.pool.each(partial(micro.gradients_of_gathered, upstream), parts)
        else:
            results = self.pool.each(micro.gradients, parts)
        for done in results:
            total += done.loss
            self._add(done.gradients)
        self._descend(dataset, rows, position.place)
        self.invariance.end_step()
        return total / len(rows)

    def _note(self, rows: IntArray, lengths: Sequence[Sequence[int]]) -> None:
        """Take note of a step's size, and whether no micro-batch overlaps another in length."""
        self.largest_step = max(self.largest_step, len(rows))
        pairs = pairwise(sorted((min(part), max(part)) for part in lengths))
        self.bucketed &= all(longest <= shortest for (_, longest), (shortest, _) in pairs)

    def _add(self, gradients: Sequence[Tensor | None]) -> None:
        for parameter, gradient in zip(self.learnt, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = gradient
            elif gradient is not None:
                parameter.grad += gradient

    def _descend(self, dataset: TrainingDataset, rows: IntArray, place: Place) -> None:
        """Clip the gradients and change the weights.

        fp16 gradients overflow now and then: the scaler then leaves the step out and scales less,
        so that only gradients which overflow unscaled stop training.
        """
        self.scaler.unscale_(self.optimiser)
        for name, parameters in self._clipped.items():
            norm = nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
            overflows = self.scaler.is_enabled() and self.scaler.get_scale() > 1.0
            if not bool(torch.isfinite(norm)) and not overflows:
                raise _stop(f"the gradient of the {name} is", dataset, rows, place)
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


@dataclass(frozen=True, eq=False)
class _MicroBatches:
    """The micro-batches of one optimiser step: what each computes, and its gradients."""

    learner: Learner
    dataset: TrainingDataset
    position: StepPosition
    step_groups: Tensor

    def gradients(self, part: IntArray, in_order: InOrder) -> MicroBatchGradients:
        """Return what a micro-batch adds to a step whose loss is a sum over essays."""
        output = self._forward(part)
        # The method keeps count of what it sees.
        with in_order:
            step = self._step(output, part)
            loss = self.learner.invariance.loss(step)
        self._require_finite((output.values, step.losses, loss), part)
        return self._pass(step, loss)

    def gathered(self, parts: Sequence[IntArray]) -> dict[int, tuple[Tensor, Tensor]]:
        """Return by row the gradients of the whole step's loss at each essay's own numbers.

        First every micro-batch is computed without a graph; then the method's loss of all essays is
        differentiated at their losses and representations (gradient caching, Gao et al. 2021).
        What the method itself learns gets its gradient here.
        """
        with torch.no_grad():
            steps = [self._step(self._forward(part), part) for part in parts]
        losses, representations = (
            torch.cat([getattr(step, name) for step in steps]).requires_grad_()
            for name in ("losses", "representations")
        )
        whole = replace(
            steps[0],
            losses=losses,
            representations=representations,
            groups=torch.cat([step.groups for step in steps]),
            bands=torch.cat([step.bands for step in steps]),
        )
        loss = self.learner.invariance.loss(whole)
        rows = np.concatenate(parts)
        self._require_finite((losses[:, None], losses, loss), rows)
        own = list(self.learner.invariance.parameters())
        inputs = [losses, representations, *own]
        scaled = self.learner.scaler.scale(loss)
        of_losses, of_representations, *of_own = torch.autograd.grad(
            scaled, inputs, materialize_grads=True
        )
        for parameter, gradient in zip(own, of_own, strict=True):
            parameter.grad = gradient
        return _by_part(parts, of_losses, of_representations)

    def gradients_of_gathered(
        self, upstream: dict[int, tuple[Tensor, Tensor]], part: IntArray, _: InOrder
    ) -> MicroBatchGradients:
        """Return a micro-batch's share of the gathered loss's gradient."""
        step = self._step(self._forward(part), part)
        at_losses, at_representations = upstream[int(part[0])]
        share = (step.losses * at_losses).sum()
        share = share + (step.representations * at_representations).sum()
        return self._pass(step, share, scaled=True)

    def _forward(self, part: IntArray) -> Output:
        with self.learner.arithmetic.autocast():
            output: Output = self.learner.network([self.dataset.essays[row] for row in part])
        return output

    def _pass(self, step: Step, loss: Tensor, *, scaled: bool = False) -> MicroBatchGradients:
        scaled_loss = loss if scaled else self.learner.scaler.scale(loss)
        gradients = torch.autograd.grad(scaled_loss, self.learner.learnt, allow_unused=True)
        return MicroBatchGradients(float(step.losses.detach().sum()), gradients)

    def _step(self, output: Output, part: IntArray) -> Step:
        """Return what the invariance method sees of one forward pass."""
        dataset, device = self.dataset, self.learner.arithmetic.device
        labels = torch.as_tensor(dataset.labels[part], device=device)
        weights = torch.as_tensor(dataset.weights[part], dtype=torch.float32, device=device)
        trait_weight = self.learner.settings.trait_weight
        return Step(
            losses=essay_losses(output.values, labels, weights, trait_weight),
            representations=output.representations,
            groups=torch.as_tensor(dataset.groups[part], device=device),
            bands=torch.as_tensor(dataset.bands[part], device=device),
            step_essays=int(self.step_groups.sum()),
            step_groups=self.step_groups,
            progress=self.position.step / self.position.total,
        )

    def _require_finite(self, numbers: tuple[Tensor, Tensor, Tensor], part: IntArray) -> None:
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
                self.learner.network,
                self.dataset.essays,
                suspects.tolist(),
                self.learner.arithmetic,
            )
            rows = np.array(guilty)
        place = self.position.place
        raise _stop(f"{what} of {len(rows)} of {len(part)} essays is", self.dataset, rows, place)


def _by_part(
    parts: Sequence[IntArray], losses: Tensor, representations: Tensor
) -> dict[int, tuple[Tensor, Tensor]]:
    """Return the parts' rows of two tensors (n,) and (n, d), by each part's first row."""
    sizes = [len(part) for part in parts]
    cut = zip(torch.split(losses, sizes), torch.split(representations, sizes), strict=True)
    return {int(part[0]): pair for part, pair in zip(parts, cut, strict=True)}


def _copied(state: Mapping[str, Tensor]) -> State:
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


def _stop(what: str, dataset: TrainingDataset, rows: IntArray, place: Place) -> NotFiniteError:
    prompts = [dataset.prompts[row] for row in rows]
    return place.stop(what, prompts, [dataset.essays[row].tokens for row in rows])
