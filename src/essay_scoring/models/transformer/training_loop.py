"""Training: epochs over dataset, stopped early on dev, and kept after each to go on from."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from essay_scoring.core.contracts import TrainingExecution
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import IntArray
from essay_scoring.models.context import Job
from essay_scoring.models.transformer.batching import epoch_steps
from essay_scoring.models.transformer.checkpoints import Checkpoint, Checkpoints, Standing
from essay_scoring.models.transformer.chunk_pooling import AttentionPooling, MeanPooling
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.learner import Learner, State, StepPosition
from essay_scoring.models.transformer.optimiser import rate_factor
from essay_scoring.models.transformer.smoke_step import SmokeStepReport, take_smoke_step
from essay_scoring.models.transformer.training_dataset import TrainingDataset
from essay_scoring.models.transformer.weight_average import WeightAverage

log = logging.getLogger("essay_scoring")

_AVERAGE = "average/"


@dataclass(frozen=True, eq=False)
class Training:
    """One fit: who learns, from what, what it is stopped on, and everything random's seed."""

    learner: Learner
    dataset: TrainingDataset
    dev: TrainingDataset
    seed: int
    job: Job
    progress: Progress

    def run(self, fingerprint: str) -> Standing:
        """Train until the epochs are done or dev no longer gets better; the best epoch remains.

        Goes on from the checkpoint in job.work if it is one of `fingerprint`. Raises NotFiniteError
        with job, epoch, step, prompts and length for a number that is not finite.
        """
        checkpoints = Checkpoints(self.job.work, fingerprint)
        last = checkpoints.read()
        best: dict[str, torch.Tensor] = {}
        standing = Standing()
        if last is not None:
            standing, best = last.standing, last.best
            self._load_state(last.state)
            log.info("%s: goes on after epoch %d", self.job.name, standing.epochs)
        if not standing.is_over(self._epochs, self.learner.settings.patience):
            log.info("%s: %s", self.job.name, self.canary().line())
        while not standing.is_over(self._epochs, self.learner.settings.patience):
            standing = standing.after(self._epoch(standing.epochs))
            if standing.best == standing.epochs:
                with self._average.in_place(self.learner.network):
                    best = self.learner.network.trained_state()
            checkpoints.write(Checkpoint(standing, self._state(), best))
        self.learner.network.load_trained_state(best)
        return standing

    def canary(self) -> SmokeStepReport:
        """Take one step on the first batch there is and undo it; NotFiniteError if it fails."""
        rows = self._steps(0)[0][: self.learner.settings.batch_size]
        return take_smoke_step(self.learner, self.dataset, rows, self._place)

    def execution(self) -> TrainingExecution:
        """Return how the network was trained, as this process saw it."""
        learner = self.learner
        pooling = getattr(learner.network, "pooling", None)
        longest = (len(chunk) for essay in self.dataset.essays for chunk in essay.ids)
        return TrainingExecution(
            precisions=(learner.arithmetic.precision,),
            gradient_checkpointing=learner.settings.gradient_checkpointing,
            effective_batch=learner.largest_step or len(self._steps(0)[0]),
            length_bucketing=learner.bucketed,
            chunked=max(longest) <= learner.settings.max_length,
            pooled=isinstance(pooling, MeanPooling | AttentionPooling),
        )

    @property
    def _epochs(self) -> int:
        return self.learner.settings.epochs

    @cached_property
    def _average(self) -> WeightAverage:
        return WeightAverage(self.learner.settings.average_from)

    def _state(self) -> State:
        """Return all that a later process needs to train on."""
        average = {f"{_AVERAGE}{name}": value for name, value in self._average.state().items()}
        return {**self.learner.state(), **average}

    def _load_state(self, state: State) -> None:
        """Go on from what `_state` returned."""
        average = {name for name in state if name.startswith(_AVERAGE)}
        self.learner.load_state({name: state[name] for name in state.keys() - average})
        self._average.load_state({name.removeprefix(_AVERAGE): state[name] for name in average})

    @cached_property
    def _place(self) -> Place:
        return Place(self.job.name, "training", self.learner.arithmetic)

    def _steps(self, epoch: int) -> list[IntArray]:
        """Return the rows of every optimiser step of an epoch, from 0."""
        settings = self.learner.settings
        return epoch_steps(
            self.dataset.groups,
            settings.batch_size * settings.accumulation,
            derive_seed(self.seed, "epoch", epoch),
            balanced=self.learner.invariance.balanced,
        )

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Train for one epoch; return its mean loss, the loss on dev, and figures beside them.

        They are the encoder's learning rate at its last step, and those of the method.
        """
        # What is random inside the network depends on the epoch alone, not on who came before.
        torch.manual_seed(derive_seed(self.seed, "noise", epoch))
        steps, began, total = self._steps(epoch), time.perf_counter(), 0.0
        name = f"{self.job.name} epoch {epoch + 1}"
        with self.progress.stage(name, len(self.dataset.essays)) as advance:
            for number, rows in enumerate(steps):
                place = replace(self._place, epoch=epoch + 1, step=number + 1)
                at = StepPosition(epoch * len(steps) + number, self._epochs * len(steps), place)
                total += self.learner.step(self.dataset, rows, at) * len(rows)
                self._average.add(self.learner.network, epoch)
                advance(len(rows))
        seconds = time.perf_counter() - began
        tokens = sum(self.dataset.tokens[row] for rows in steps for row in rows)
        with self._average.in_place(self.learner.network):
            dev = self._dev_loss(epoch)
        losses = {"train": total / len(self.dataset.essays), "dev": dev}
        figures = self.learner.invariance.epoch_figures()
        said = (
            f"loss {losses['train']:.4f}, dev {losses['dev']:.4f}, {tokens / seconds:.0f} tokens/s"
        )
        said += "".join(f", {name} {value:.3f}" for name, value in figures.items())
        log.info("%s of %d: %s", name, self._epochs, said)
        settings, last = self.learner.settings, (epoch + 1) * len(steps) - 1
        share = rate_factor(last, self._epochs * len(steps), settings)
        return {**losses, "learning_rate": settings.learning_rate * share, **figures}

    def _dev_loss(self, epoch: int) -> float:
        """Return the unweighted mean squared error of the standardised scores of dev."""
        place = replace(self._place, doing="reading dev", epoch=epoch + 1)
        reader = Inference(self.learner.settings.tokens_per_micro_batch, place, self.learner.pool)
        values = reader.read(self.learner.network, self.dev.essays, self.dev.prompts).values
        errors = values[:, 0].astype(np.float64) - self.dev.labels[:, 0]
        return float(np.mean(errors**2))
