"""Essays with all that training asks of them: labels on one scale, weights, groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.features.chunking import TokenisedEssay
from essay_scoring.models.linear import Standardiser, fit_standardiser


@dataclass(frozen=True, eq=False)
class LabelScale:
    """The names of the traits that are learnt beside the score, and where labels are centred.

    `standardiser` holds means and deviations of the training fold, shape (1 + traits,), the score's
    first.
    """

    traits: tuple[str, ...]
    standardiser: Standardiser

    @classmethod
    def of(cls, train: ScoredEssays, *, with_traits: bool) -> LabelScale:
        """Return the scale of a training fold.

        Raises InputError if traits are asked of essays without any, and NotFiniteError for scores
        that are not numbers.
        """
        _require_finite_scores(train)
        traits = _traits_of(train) if with_traits else ()
        return cls(traits, fit_standardiser(_labels(train, traits)))

    def apply(self, essays: ScoredEssays) -> Matrix:
        """Return standardised labels, shape (n, 1 + traits); NaN where a trait was not rated."""
        centred = _labels(essays, self.traits) - self.standardiser.mean
        return (centred / self.standardiser.deviation).astype(np.float32)


def _labels(essays: ScoredEssays, traits: Sequence[str]) -> Matrix:
    """Return training-scale scores and raw traits, shape (n, 1 + traits)."""
    columns = [essays.targets, *(essays.traits[name] for name in traits)]
    return np.stack(columns, axis=1).astype(np.float32)


def _traits_of(train: ScoredEssays) -> tuple[str, ...]:
    """Return the names of traits that some essay of the fold has a rating of."""
    rated = (name for name, values in train.traits.items() if not np.isnan(values).all())
    traits = tuple(sorted(rated))
    if not traits:
        raise InputError(
            "the corpus has no analytic scores to learn from",
            where="scorer.trait_weight",
            mend="set it to 0, or name the corpus's trait columns",
        )
    return traits


def _require_finite_scores(train: ScoredEssays) -> None:
    bad = np.flatnonzero(~np.isfinite(train.targets))
    if len(bad):
        raise NotFiniteError(
            f"{len(bad)} of {len(train)} training scores are not finite numbers",
            where=f"essay {train.essays.ids[bad[0]]}, prompt {train.prompts[bad[0]]!r}",
            mend="correct the scores",
        )


@dataclass(frozen=True, eq=False)
class TrainingDataset:
    """Tokenised essays, what they should be read as, and how much each counts.

    `labels` (n, 1 + traits) are standardised, NaN where a trait was not rated; `weights` (n,) have
    mean 1; `groups` and `bands` (n,) number the prompts and the score bands that are present.
    """

    essays: Sequence[TokenisedEssay]
    prompts: tuple[str, ...]
    labels: Matrix
    weights: FloatArray
    groups: IntArray
    bands: IntArray

    @classmethod
    def of(
        cls,
        scored: ScoredEssays,
        essays: Sequence[TokenisedEssay],
        scale: LabelScale,
        weights: FloatArray,
    ) -> TrainingDataset:
        """Return the dataset of scored essays, tokenised in the same order."""
        _, groups = np.unique(scored.prompts, return_inverse=True)
        _, bands = np.unique(scored.bands, return_inverse=True)
        mean_one = weights / weights.mean()
        return cls(essays, scored.prompts, scale.apply(scored), mean_one, groups, bands)

    @cached_property
    def tokens(self) -> list[int]:
        """The length of each essay in tokens."""
        return [essay.tokens for essay in self.essays]

    @cached_property
    def group_sizes(self) -> IntArray:
        """How many essays each prompt has, shape (groups,)."""
        return np.bincount(self.groups)
