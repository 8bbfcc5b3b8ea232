"""The states below the layers that learn: computed once for all folds, epochs, arms and seeds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from essay_scoring.core.files import try_lock, write_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.frozen_encoder import device_in_use
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.backbone import Backbone
from essay_scoring.models.transformer.backbone_loading import load_backbone
from essay_scoring.models.transformer.chunking import TokenisedEssay, tokens_identity
from essay_scoring.models.transformer.layer_selection import cut_of
from essay_scoring.models.transformer.mixed_linear import quicken
from essay_scoring.models.transformer.precision import Arithmetic, Resolved
from essay_scoring.models.transformer.tensor_files import Packs
from essay_scoring.models.transformer.thread_pool import ALONE, Crew

_POLL_SECONDS = 0.2


class Trunk:
    """Hidden states of essays after the layers that do not learn, kept below `cache`/trunks.

    `precision` is the resolved one of training: "fp32", "bf16" or "fp16". States are computed as
    training would compute them, and stored in bf16 under bf16, else in fp32. Each chunk is computed
    alone, so that its states are the same bytes whenever and by whomever they are computed. Use it
    within `surroundings`, which flush denormals.
    """

    def __init__(
        self,
        settings: TransformerSettings,
        encoder: EncoderFolder,
        precision: Resolved,
        cache: Path,
    ) -> None:
        self._settings, self._encoder, self._precision = settings, encoder, precision
        identity = self._identity()
        self._folder = cache / "trunks" / fingerprint(identity)[:16]
        self._buckets: dict[str, Packs] = {}
        if not (self._folder / "trunk.json").exists():
            write_json(self._folder / "trunk.json", identity)

    def prepare(
        self, essays: Sequence[TokenisedEssay], progress: Progress, crew: Crew = ALONE
    ) -> None:
        """Compute and store what is not there yet; call it before training and predicting.

        Several processes share the work. A crash costs what was not yet stored.
        """
        waiting: dict[str, dict[str, TokenisedEssay]] = {}
        for essay in essays:
            if essay.key not in self._bucket(essay.key):
                waiting.setdefault(_bucket_of(essay.key), {})[essay.key] = essay
        if not waiting:
            return
        total = sum(map(len, waiting.values()))
        with progress.stage("states below the layers that learn", total) as advance:
            while waiting:
                left = {}
                for bucket, missing in sorted(waiting.items()):
                    if self._filled(bucket, missing, crew):
                        advance(len(missing))
                    else:
                        left[bucket] = missing
                if len(left) == len(waiting):
                    time.sleep(_POLL_SECONDS)
                waiting = left

    def states(self, essay: TokenisedEssay) -> tuple[Tensor, ...]:
        """Return one (length, width) tensor a chunk, on the CPU: stored, or else computed now."""
        bucket = self._bucket(essay.key)
        if essay.key in bucket:
            states = bucket.read([essay.key])[essay.key]
        else:
            states = self._compute(essay, self._lower)
        return torch.split(states, [len(ids) for ids in essay.ids])

    def _identity(self) -> dict[str, object]:
        """Return all but the text that changes a state."""
        return {
            "version": 1,
            "encoder_sha256": self._encoder.sha256,
            "layer": cut_of(self._settings, self._encoder).first,
            "tokens": tokens_identity(self._encoder, self._settings),
            "precision": self._precision,
            "device": device_in_use(),
            "torch": version("torch"),
        }

    def _bucket(self, key: str) -> Packs:
        """Return the packs among which an essay's states are, if they are anywhere."""
        name = _bucket_of(key)
        if name not in self._buckets:
            self._buckets[name] = Packs(self._folder / name)
            self._buckets[name].refresh()
        return self._buckets[name]

    def _filled(self, name: str, missing: dict[str, TokenisedEssay], crew: Crew) -> bool:
        """Compute what a bucket still lacks; False, at once, while another process does that."""
        with try_lock(self._folder / name / ".lock") as mine:
            if not mine:
                return False
            packs = self._bucket(next(iter(missing)))
            packs.clear_strays()
            packs.refresh()
            lacking = {key: essay for key, essay in missing.items() if key not in packs}
            if lacking:
                # Before the workers ask for it: a model is not loaded by several threads at once.
                lower = self._lower
                computed = crew.each(lambda essay, _: self._compute(essay, lower), lacking.values())
                packs.add(dict(zip(lacking, computed, strict=True)))
        return True

    def _compute(self, essay: TokenisedEssay, lower: Backbone) -> Tensor:
        """Return the states of an essay's chunks, end to end, as they are stored."""
        with torch.no_grad(), Arithmetic(device_in_use(), self._precision).autocast():
            states = torch.cat([lower([ids])[0] for ids in essay.ids])
        stored = torch.bfloat16 if self._precision == "bf16" else torch.float32
        return states.to("cpu", stored).contiguous()

    @cached_property
    def _lower(self) -> Backbone:
        """The layers below those that learn; loaded when there is something to compute."""
        backbone = load_backbone(self._settings, self._encoder, device_in_use(), "below").eval()
        quicken(backbone.model)
        return backbone


def _bucket_of(key: str) -> str:
    return key[:2]
