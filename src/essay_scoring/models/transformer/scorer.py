"""The family of fine-tuned transformers: from essays to a trained network, saved and loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.files import write_bytes, write_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.chunking import TokenisedEssay, tokenise
from essay_scoring.features.encoders import EncoderFolder, resolve_encoder
from essay_scoring.features.precision import Arithmetic, device_in_use, resolve
from essay_scoring.models.card import Card, saved_fact, saved_file
from essay_scoring.models.family import FamilyScorer, fitted
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.finite import Place

if TYPE_CHECKING:
    from essay_scoring.models.transformer.frozen_layers import FrozenLayerCache
    from essay_scoring.models.transformer.inference import Readings
    from essay_scoring.models.transformer.network import EssayNetwork
    from essay_scoring.models.transformer.smoke_step import SmokeStepReport
    from essay_scoring.models.transformer.thread_pool import ThreadPool
    from essay_scoring.models.transformer.training_dataset import LabelScale, TrainingDataset
    from essay_scoring.models.transformer.training_loop import Training

_STATE, _RECORD, _ADAPTER = "trained.safetensors", "training.json", "adapter"
_CENTRED_ON = 256
"""About how many training essays what all essays share is measured on: every k-th of them."""

_PACKAGES = ("torch", "transformers", "tokenizers", "peft")


class TransformerScorer(FamilyScorer[TransformerSettings]):
    """A pretrained encoder fine-tuned on `train`, kept as it was at the epoch best on `dev`."""

    network: EssayNetwork | None = None
    _frozen_layers: FrozenLayerCache | None = None

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Train; `rounds` is the epoch kept, `curve` holds the losses of all epochs on both."""
        require_packages()
        from essay_scoring.models.transformer.torch_settings import note_allocator

        note_allocator(self.arithmetic.device)
        with self._torch_settings() as pool:
            training, scale = self._prepare(train, dev, pool)
            standing = training.run(self._identity(training.dataset, training.dev))
        self.network = training.learner.network
        self.facts = {
            "mean": float(scale.standardiser.mean[0]),
            "deviation": float(scale.standardiser.deviation[0]),
            "heads": 1 + len(scale.traits),
            "epochs": standing.best,
        }
        return FitReport(standing.best, dict(standing.curve), training.execution())

    def canary(self, train: ScoredEssays, dev: ScoredEssays) -> SmokeStepReport:
        """Take one step of this model on the first batch of `train`; learn nothing from it.

        Raises NotFiniteError if the loss, a gradient, a weight or an output is not finite.
        """
        require_packages()
        with self._torch_settings() as pool:
            return self._prepare(train, dev, pool)[0].canary()

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions on the training scale, shape (n,), not clipped to it."""
        values = self._read(essays, "predicting").values[:, 0].astype(np.float64)
        targets: FloatArray = values * self.facts["deviation"] + self.facts["mean"]
        return targets

    def representations(self, essays: Essays) -> Matrix:
        """Return what the head reads of each essay, shape (n, width), float32."""
        return self._read(essays, "representing").representations

    def write(self, folder: Path) -> Sequence[str]:
        """Write what was learnt, how it was computed, and with LoRA an adapter that peft reads."""
        from essay_scoring.models.transformer.learnt_state import save_adapter, state_bytes

        network = fitted(self.network)
        write_bytes(folder / _STATE, state_bytes(network.trained_state()))
        write_json(folder / _RECORD, {"schema": 1, **vars(self.arithmetic)})
        adapter = save_adapter(network, folder / _ADAPTER)
        return (_STATE, _RECORD, *(f"{_ADAPTER}/{name}" for name in adapter))

    def read(self, folder: Path, card: Card) -> None:
        """Build the network and give it what was learnt; InputError if that does not fit it."""
        require_packages()
        from essay_scoring.models.transformer.learnt_state import read_state

        heads = int(saved_fact(folder, card, "heads"))
        for name in ("mean", "deviation"):
            saved_fact(folder, card, name)
        network = self._build(heads)
        network.load_trained_state(read_state(saved_file(folder, card, _STATE)))
        self.network = network

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """Where this scorer computes and in which numbers; InputError for fp16 on a CPU."""
        device = device_in_use()
        return Arithmetic(device, resolve(self.settings.mixed_precision, device))

    @cached_property
    def _encoder(self) -> EncoderFolder:
        cache = self.context.cache / "encoders"
        return resolve_encoder(self.settings.encoder, cache, "scorer.sha256")

    def _torch_settings(self) -> AbstractContextManager[ThreadPool]:
        """Return a context in which torch computes as this scorer asks, with who computes."""
        from essay_scoring.models.transformer.torch_settings import torch_settings

        draws = self.settings.dropout > 0 or self.settings.lora.dropout > 0
        return torch_settings(self.context.threads, self.arithmetic.device, draws=draws)

    def _build(self, heads: int) -> EssayNetwork:
        """Return the untrained network of this scorer's seed, its frozen-layer cache at hand."""
        from essay_scoring.models.transformer.frozen_layers import FrozenLayerCache
        from essay_scoring.models.transformer.network import build_network

        settings, precision = self.settings, self.arithmetic.precision
        if settings.cache_frozen_layers:
            self._frozen_layers = FrozenLayerCache(
                settings, self._encoder, precision, self.context.cache
            )
        return build_network(
            settings,
            self._encoder,
            heads,
            self.context.seed,
            device=self.arithmetic.device,
            frozen_layers=self._frozen_layers,
        )

    def _tokenise(self, essays: Essays, pool: ThreadPool) -> list[TokenisedEssay]:
        """Return essays as the network reads them, the frozen-layer cache's states prepared."""
        tokenised = tokenise(essays.texts, self._encoder, self.settings.encoder, self.context.cache)
        if self._frozen_layers is not None:
            self._frozen_layers.prepare(tokenised, self.context.progress, pool)
        return tokenised

    def _prepare(
        self, train: ScoredEssays, dev: ScoredEssays, pool: ThreadPool
    ) -> tuple[Training, LabelScale]:
        """Return the training of these essays, ready to run, and the scale of its labels."""
        from essay_scoring.models.invariance.build import build_invariance
        from essay_scoring.models.transformer.inference import Inference
        from essay_scoring.models.transformer.learner import Learner
        from essay_scoring.models.transformer.lp_ft import start_at_ridge
        from essay_scoring.models.transformer.training_dataset import LabelScale, TrainingDataset
        from essay_scoring.models.transformer.training_loop import Training

        settings, context = self.settings, self.context
        scale = LabelScale.of(train, with_traits=settings.trait_weight > 0)
        network = self._build(1 + len(scale.traits))
        tokenised = self._tokenise(train.essays, pool)
        dataset = TrainingDataset.of(train, tokenised, scale, self.weights(train))
        ahead = TrainingDataset.of(dev, self._tokenise(dev.essays, pool), scale, np.ones(len(dev)))
        invariance = build_invariance(
            settings.invariance,
            group_sizes=dataset.group_sizes,
            n_bands=int(dataset.bands.max()) + 1,
            width=network.width,
            seed=context.seed,
        ).to(self.arithmetic.device)
        some = tokenised[:: max(1, len(tokenised) // _CENTRED_ON)]
        network.centre_on(some, settings.tokens_per_micro_batch, self.arithmetic, pool)
        if settings.lp_ft == "ridge":
            place = Place(context.job.name, "starting the head", self.arithmetic)
            reader = Inference(settings.tokens_per_micro_batch, place, pool)
            start_at_ridge(network, dataset, ahead, reader)
        learner = Learner(network, invariance, settings, self.arithmetic, pool)
        training = Training(learner, dataset, ahead, context.seed, context.job, context.progress)
        return training, scale

    def _read(self, essays: Essays, doing: str) -> Readings:
        """Return what the fitted network says of essays, in their order."""
        from essay_scoring.models.transformer.inference import Inference

        place = Place(self.context.job.name, doing, self.arithmetic)
        with self._torch_settings() as pool:
            tokenised = self._tokenise(essays, pool)
            reader = Inference(self.settings.tokens_per_micro_batch, place, pool)
            return reader.read(fitted(self.network), tokenised, essays.prompts)

    def _identity(self, train: TrainingDataset, dev: TrainingDataset) -> str:
        """Return the hash of all that decides what training comes to."""
        return fingerprint(
            {
                "settings": self.settings.model_dump(mode="json"),
                "training": self.training.model_dump(mode="json"),
                "seed": self.context.seed,
                "threads": self.context.threads,
                "encoder": [self._encoder.sha256, self._encoder.definition_sha256],
                "arithmetic": vars(self.arithmetic),
                "torch": version("torch"),
                "train": _digest(train),
                "dev": _digest(dev),
            }
        )


def require_packages() -> None:
    """Raise MissingExtraError unless all that fine-tuning needs is installed; import nothing.

    Where torch is not loaded yet, its threads will sleep while they wait for each other. Spinning,
    as they do by default, they take turns with other processes: an epoch on two cores of a busy
    machine took three times as long.
    """
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "transformer")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _digest(dataset: TrainingDataset) -> str:
    """Return a hash of the essays and of everything that is learnt from them."""
    digest = hashlib.sha256()
    digest.update("\n".join(essay.key for essay in dataset.essays).encode())
    for array in (dataset.labels, dataset.weights, dataset.groups, dataset.bands):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
