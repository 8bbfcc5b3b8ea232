"""Score scales: which scores exist, how far apart they are, and one common scale to train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from essay_scoring.core.errors import InputError
from essay_scoring.core.settings import Settings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TRAINING_WIDTH = 4.0
"""Training targets run from 0 to 4, the width of the 1-5 scale that the reference was tuned on, so
that a regularisation strength means the same on every scale."""

LOW_TAIL, HIGH_TAIL = 0.25, 0.75
"""Tails as shares of the scale's width: y <= 2.0 and y >= 4.0 on a scale from 1 to 5."""

_FARTHEST, _MOST_STEPS = 1e6, 1000


class ScoreScale(Settings):
    """Every score a rater may give: `low` to `high` by `step`."""

    low: float = Field(ge=-_FARTHEST, le=_FARTHEST)
    high: float = Field(ge=-_FARTHEST, le=_FARTHEST)
    step: float = Field(default=1.0, gt=0, le=_FARTHEST)

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        steps = (self.high - self.low) / self.step
        if steps > _MOST_STEPS:
            raise ValueError(f"a scale has at most {_MOST_STEPS + 1} scores")
        if self.high <= self.low or abs(steps - round(steps)) > 1e-9:
            raise ValueError(f"high - low must be a positive whole number of steps of {self.step}")
        return self

    @property
    def n_labels(self) -> int:
        """How many scores the scale has."""
        return round((self.high - self.low) / self.step) + 1

    @property
    def span(self) -> str:
        """The scale in words, for messages: '1 to 5 by 0.5'."""
        return f"{self.low:g} to {self.high:g} by {self.step:g}"

    @property
    def labels(self) -> FloatArray:
        """All scores, ascending, shape (n_labels,): the full label list of every figure."""
        return self.low + self.step * np.arange(self.n_labels, dtype=np.float64)

    def index(self, scores: FloatArray) -> IntArray:
        """Return positions of on-scale scores in `labels`; round and clip those that are not."""
        positions = np.floor((np.asarray(scores, dtype=np.float64) - self.low) / self.step + 0.5)
        return np.clip(positions, 0, self.n_labels - 1).astype(np.int64)

    def round(self, raw: FloatArray) -> FloatArray:
        """Return the nearest score, halves upwards, clipped to the scale (`round_half_band`)."""
        return self.labels[self.index(raw)]

    def holds(self, scores: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell for each score whether it is one of the scale's labels (NaN is not)."""
        scores = np.asarray(scores, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            steps = (scores - self.low) / self.step
            near = np.abs(steps - np.round(steps)) < 1e-6
            return near & (scores >= self.low - 1e-9) & (scores <= self.high + 1e-9)

    def to_training(self, scores: FloatArray) -> FloatArray:
        """Return scores on the common training scale, 0 to TRAINING_WIDTH."""
        return TRAINING_WIDTH * (scores - self.low) / (self.high - self.low)


class ScoreScales(Settings):
    """One scale for a whole corpus (`shared`), or one for each prompt (`by_prompt`)."""

    shared: ScoreScale | None = None
    by_prompt: dict[str, ScoreScale] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.shared is None) == (not self.by_prompt):
            raise ValueError("give either one scale or one scale per prompt")
        return self

    def of(self, prompt: str) -> ScoreScale:
        """Return the scale of a prompt; raise InputError for a prompt without one."""
        if self.shared is not None:
            return self.shared
        if prompt not in self.by_prompt:
            raise InputError(
                f"prompt {prompt!r} has no score scale",
                mend="add it under [data.corpus.scales.by_prompt]",
            )
        return self.by_prompt[prompt]

    def for_prompts(self, prompts: Sequence[str]) -> dict[ScoreScale, IntArray]:
        """Return each scale in use with the positions of its essays, in order of first use."""
        if self.shared is not None:
            return {self.shared: np.arange(len(prompts))} if len(prompts) else {}
        groups: dict[ScoreScale, list[int]] = {}
        for position, prompt in enumerate(prompts):
            groups.setdefault(self.of(prompt), []).append(position)
        return {scale: np.asarray(rows, dtype=np.int64) for scale, rows in groups.items()}

    def round(self, raw: FloatArray, prompts: Sequence[str]) -> FloatArray:
        """Round raw predictions (own scale) to the nearest score of each essay's own scale."""
        out = np.empty(len(prompts), dtype=np.float64)
        for scale, rows in self.for_prompts(prompts).items():
            out[rows] = scale.round(raw[rows])
        return out

    def round_known(self, scores: FloatArray, prompts: Sequence[str]) -> FloatArray:
        """Round as `round` does, and leave NaN where a score is missing."""
        known = np.isfinite(scores)
        return np.where(known, self.round(np.where(known, scores, 0.0), prompts), np.nan)

    def to_training(self, scores: FloatArray, prompts: Sequence[str]) -> FloatArray:
        """Return scores (own scale) on the common training scale, 0 to TRAINING_WIDTH."""
        out = np.empty(len(prompts), dtype=np.float64)
        for scale, rows in self.for_prompts(prompts).items():
            out[rows] = scale.to_training(scores[rows])
        return out

    def from_training(self, targets: FloatArray, prompts: Sequence[str]) -> FloatArray:
        """Return values of the training scale on each essay's own scale; undoes `to_training`."""
        out = np.empty(len(prompts), dtype=np.float64)
        for scale, rows in self.for_prompts(prompts).items():
            out[rows] = scale.low + (scale.high - scale.low) * targets[rows] / TRAINING_WIDTH
        return out

    def bands(self, scores: FloatArray, prompts: Sequence[str]) -> IntArray:
        """Return a band number per essay for stratifying and weighting.

        The label's position where one scale of at most 13 labels is shared, else five equal parts
        of each essay's own scale.
        """
        if self.shared is not None and self.shared.n_labels <= 13:
            return self.shared.index(scores)
        unit = self.to_training(scores, prompts) / TRAINING_WIDTH
        return np.minimum((unit * 5).astype(np.int64), 4)

    def tails(
        self, scores: FloatArray, prompts: Sequence[str]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Return masks of the low and the high tail (LOW_TAIL, HIGH_TAIL of the own scale)."""
        unit = self.to_training(scores, prompts) / TRAINING_WIDTH
        return unit <= LOW_TAIL + 1e-9, unit >= HIGH_TAIL - 1e-9
