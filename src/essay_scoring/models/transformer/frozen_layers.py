"""The states below the layers that learn: computed once for all folds, epochs, arms and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from essay_scoring.core.progress import Progress
from essay_scoring.features.backbone import Backbone
from essay_scoring.features.backbone_loading import load_backbone
from essay_scoring.features.chunking import TokenisedEssay, tokens_identity
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.precision import Arithmetic, Resolved, device_in_use
from essay_scoring.features.tensor_store import TensorStore
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.layer_selection import backbone_settings
from essay_scoring.models.transformer.mixed_linear import quicken
from essay_scoring.models.transformer.thread_pool import INLINE, ThreadPool


class FrozenLayerCache:
    """Hidden states of essays after the layers that do not learn, kept below `cache`/frozen layers.

    `precision` is the resolved one of training: "fp32", "bf16" or "fp16". States are computed as
    training would compute them, and stored in bf16 under bf16, else in fp32. Each chunk is computed
    alone, so that its states are the same bytes whenever and by whomever they are computed. Use it
    within `torch_settings`, which flush denormals.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        encoder: EncoderFolder,
        precision: Resolved,
        cache: Path,
    ) -> None:
        self._settings, self._encoder, self._precision = settings, encoder, precision
        self._backbone_settings = backbone_settings(settings, encoder)
        self._store = TensorStore(cache / "frozen layers", self._identity(), "torch")

    def prepare(
        self, essays: Sequence[TokenisedEssay], progress: Progress, pool: ThreadPool = INLINE
    ) -> None:
        """Compute and store what is not there yet; call it before training and predicting.

        Several processes share the work. A crash costs what was not yet stored.
        """
        waiting: dict[str, dict[str, TokenisedEssay]] = {}
        for essay in essays:
            if self._store.missing(_group_of(essay), [essay.key]):
                waiting.setdefault(_group_of(essay), {})[essay.key] = essay
        if not waiting:
            return

        def computed(group: str, keys: list[str]) -> dict[str, Tensor]:
            # Before the workers ask for it: a model is not loaded by several threads at once.
            lower, lacking = self._lower, [waiting[group][key] for key in keys]
            states = pool.each(lambda essay, _: self._compute(essay, lower), lacking)
            return dict(zip(keys, states, strict=True))

        total = sum(map(len, waiting.values()))
        with progress.stage("states below the layers that learn", total) as advance:
            self._store.fill(waiting, computed, lambda group: advance(len(waiting[group])))

    def states(self, essay: TokenisedEssay) -> tuple[Tensor, ...]:
        """Return one (length, width) tensor a chunk, on the CPU: stored, or else computed now."""
        group = _group_of(essay)
        if self._store.missing(group, [essay.key]):
            states = self._compute(essay, self._lower)
        else:
            states = self._store.read(group, [essay.key])[essay.key]
        return torch.split(states, [len(ids) for ids in essay.ids])

    def _identity(self) -> dict[str, object]:
        """Return all but the text that changes a state."""
        return {
            "version": 2,
            "encoder_sha256": self._encoder.sha256,
            "layer": self._backbone_settings.layers.first,
            "tokens": tokens_identity(self._encoder, self._settings.encoder),
            "precision": self._precision,
            "device": device_in_use(),
            "torch": version("torch"),
        }

    def _compute(self, essay: TokenisedEssay, lower: Backbone) -> Tensor:
        """Return the states of an essay's chunks, end to end, as they are stored."""
        with torch.no_grad(), Arithmetic(device_in_use(), self._precision).autocast():
            states = torch.cat([lower([ids])[0] for ids in essay.ids])
        stored = torch.bfloat16 if self._precision == "bf16" else torch.float32
        return states.to("cpu", stored).contiguous()

    @cached_property
    def _lower(self) -> Backbone:
        """The layers below those that learn; loaded when there is something to compute."""
        backbone = load_backbone(
            self._backbone_settings, self._encoder, device_in_use(), "below"
        ).eval()
        quicken(backbone.model)
        return backbone


def _group_of(essay: TokenisedEssay) -> str:
    return essay.key[:2]
