"""The smoke step: one real step of this model, here and in this precision, then undone."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch

from essay_scoring.core.scale import IntArray
from essay_scoring.features.precision import Arithmetic
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.learner import Learner, StepPosition
from essay_scoring.models.transformer.training_dataset import TrainingDataset


@dataclass(frozen=True)
class SmokeStepReport:
    """A smoke step that came back: how it computed, and the loss of its step."""

    arithmetic: Arithmetic
    loss: float

    def line(self) -> str:
        """Return the report on one line."""
        precision, device = self.arithmetic.precision, self.arithmetic.device
        return f"canary ok precision={precision} device={device} loss={self.loss:.6g}"


def take_smoke_step(
    learner: Learner, dataset: TrainingDataset, rows: IntArray, place: Place
) -> SmokeStepReport:
    """Take a forward pass, a backward pass and an optimiser step on `rows`, then undo them.

    Raises NotFiniteError when the loss, a gradient, a weight after the step or what the network
    says after it is not finite; place says where. Everything is as before, whatever happens.
    """
    place = replace(place, doing="canary before training")
    trained = learner.network.trained_state()
    method = copy.deepcopy(learner.invariance)
    # Its own optimiser, so that the moments of training start from nothing.
    sent = Learner(learner.network, method, learner.settings, learner.arithmetic, learner.pool)
    try:
        loss = _step_that_counts(sent, dataset, rows, place)
        essays = [dataset.essays[row] for row in rows]
        prompts = [dataset.prompts[row] for row in rows]
        learnt = [p for group in sent.optimiser.param_groups for p in group["params"]]
        if not all(bool(torch.isfinite(parameter).all()) for parameter in learnt):
            raise place.stop("the weights after a step are", prompts, [e.tokens for e in essays])
        reader = Inference(learner.settings.tokens_per_micro_batch, place, learner.pool)
        reader.read(learner.network, essays, prompts)
    finally:
        learner.network.load_trained_state(trained)
        sent.optimiser.zero_grad(set_to_none=True)
    return SmokeStepReport(learner.arithmetic, loss)


def _step_that_counts(
    learner: Learner, dataset: TrainingDataset, rows: IntArray, place: Place
) -> float:
    """Return the loss of a step that changes weights; fp16's scaler leaves out the first few."""
    while True:
        scale = learner.scaler.get_scale()
        loss = learner.step(dataset, rows, StepPosition(0, 1, place))
        if learner.scaler.get_scale() >= scale:
            return loss
