"""Scorers that any other must beat: the mean, and counting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, FitReport
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.text import word_count
from essay_scoring.models.card import Card, saved_fact
from essay_scoring.models.columns import FittedColumns
from essay_scoring.models.context import ScorerContext
from essay_scoring.models.family import FamilyScorer, fitted
from essay_scoring.models.linear import fit_ridge_path
from essay_scoring.models.ridge import LinearScorer
from essay_scoring.models.scorer_settings import LengthSettings, MeanSettings, TrainingSettings

_SENTENCE_ENDS = re.compile(r"[.!?]+(?=\s|$)")
_PARAGRAPHS = re.compile(r"\S[^\n]*")

LENGTH_NAMES = ("words", "log_words", "characters", "log_characters", "sentences", "paragraphs")

_LENGTH_ALPHA = 1.0
"""Words and characters nearly coincide: without a little shrinkage their coefficients would be huge
and of opposite sign, and an essay of unusual word length would be thrown off the scale."""


class MeanScorer(FamilyScorer[MeanSettings]):
    """Predicts the mean of the training targets, by the essays' own weights if they have any."""

    mean: float | None = None

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:  # noqa: ARG002
        """Remember the mean; `dev` is not used, nor are weights of score bands."""
        own = train.weights
        mean = train.targets.mean() if own is None else np.average(train.targets, weights=own)
        self.mean = float(mean)
        self.facts = {"mean": self.mean}
        return FitReport()

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return the mean once per essay, shape (n,)."""
        return np.full(len(essays), fitted(self.mean))

    def write(self, folder: Path) -> Sequence[str]:  # noqa: ARG002
        """Write no file: the card holds the mean."""
        fitted(self.mean)
        return ()

    def read(self, folder: Path, card: Card) -> None:
        """Take the mean from the card."""
        self.mean = saved_fact(folder, card, "mean")


class LengthScorer(LinearScorer[LengthSettings]):
    """Weighted linear regression on counts of words, characters, sentences and paragraphs."""

    def __init__(
        self, settings: LengthSettings, training: TrainingSettings, context: ScorerContext
    ) -> None:
        super().__init__(settings, training, context)
        self.columns = FittedColumns(length_columns)

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:  # noqa: ARG002
        """Fit the counts; `dev` is not used."""
        values = self.columns.remember(train.essays)
        (self.model,) = fit_ridge_path(values, train.targets, self.weights(train), [_LENGTH_ALPHA])
        return FitReport()


def length_columns(essays: Essays) -> Columns:
    """Return LENGTH_NAMES of each text, shape (n, 6); a blank text counts zero throughout."""
    counts = np.array([_counts(text) for text in essays.texts], dtype=np.float32)
    words, characters, sentences, paragraphs = counts.reshape(-1, 4).T
    table = (words, np.log1p(words), characters, np.log1p(characters), sentences, paragraphs)
    return Columns(LENGTH_NAMES, np.stack(table, axis=1))


def _counts(text: str) -> tuple[int, int, int, int]:
    """Return words, characters without outer white space, sentence ends, and non-blank lines."""
    ends, lines = _SENTENCE_ENDS.findall(text), _PARAGRAPHS.findall(text)
    return word_count(text), len(text.strip()), len(ends), len(lines)
