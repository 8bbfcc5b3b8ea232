"""Essays, with and without their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScales
from essay_scoring.core.text import plain_text


@dataclass(frozen=True, eq=False)
class Essays:
    """What a scorer may see of essays at prediction: no scores. All tuples have one length n.

    Texts are held in one form (`plain_text`): whatever counts or scores them reads the same.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...] = field(repr=False)
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.texts) == len(self.prompts):
            raise ValueError("ids, texts and prompts differ in length")
        object.__setattr__(self, "texts", tuple(map(plain_text, self.texts)))

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int] | IntArray) -> Essays:
        """Return the essays at these positions, in this order."""
        return Essays(
            tuple(self.ids[i] for i in rows),
            tuple(self.texts[i] for i in rows),
            tuple(self.prompts[i] for i in rows),
        )


@dataclass(frozen=True, eq=False)
class ScoredEssays:
    """Essays with what raters gave them.

    `scores` (n,) on each essay's own scale; `second_scores` (n,) of a second rater or None;
    `traits` analytic scores by name, each (n,), NaN where absent; `writers` group labels by
    column, each of length n, "" where unknown. `softened` are training-scale targets to learn from
    in place of the scores, None where there are none. `weights` (n,) are greater than 0, by which
    essays count in training (those of a survey's sample, say); None where all count alike.
    """

    essays: Essays
    scores: FloatArray
    scales: ScoreScales
    second_scores: FloatArray | None = None
    traits: Mapping[str, FloatArray] = field(default_factory=dict)
    writers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    softened: FloatArray | None = None
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.essays), len(self.scores)}
        lengths |= {len(values) for values in self.traits.values()}
        lengths |= {len(labels) for labels in self.writers.values()}
        optional = (self.second_scores, self.softened, self.weights)
        lengths |= {len(values) for values in optional if values is not None}
        if len(lengths) > 1:
            raise ValueError("a column differs in length from the essays")

    def __len__(self) -> int:
        return len(self.essays)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompt of each essay."""
        return self.essays.prompts

    @property
    def targets(self) -> FloatArray:
        """What to learn: scores on the common training scale, shape (n,), or what softened them."""
        if self.softened is not None:
            return self.softened
        return self.scales.to_training(self.scores, self.prompts)

    @property
    def bands(self) -> IntArray:
        """Score band of each essay, shape (n,)."""
        return self.scales.bands(self.scores, self.prompts)

    def take(self, rows: Sequence[int] | IntArray) -> ScoredEssays:
        """Return the scored essays at these positions, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        return ScoredEssays(
            self.essays.take(at),
            self.scores[at],
            self.scales,
            None if self.second_scores is None else self.second_scores[at],
            {name: values[at] for name, values in self.traits.items()},
            {name: tuple(values[i] for i in at) for name, values in self.writers.items()},
            None if self.softened is None else self.softened[at],
            None if self.weights is None else self.weights[at],
        )
