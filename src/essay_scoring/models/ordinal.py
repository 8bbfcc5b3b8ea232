"""What boosted trees share: the three training modes, and early stopping on columns."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import TRAINING_WIDTH, FloatArray, ScoreScales
from essay_scoring.models.card import CARD_NAME, REFIT, Card, saved_fact, saved_file
from essay_scoring.models.family import FamilyScorer
from essay_scoring.models.scorer_settings import CatBoostSettings, Mode, XGBoostSettings

B = TypeVar("B", XGBoostSettings, CatBoostSettings)


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """Columns (n, p) with what a booster learns from them (n,) and the weights (n,)."""

    values: Matrix
    labels: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class TrainingMode:
    """How scores become a booster's labels, and its outputs become predictions.

    `n_classes` is the number of labels of the scale, whether or not all of them are present in
    training, and 0 for regression.
    """

    mode: Mode
    n_classes: int

    def labels(self, essays: ScoredEssays) -> FloatArray:
        """Return training targets, or label positions for the multiclass modes, shape (n,)."""
        if not self.n_classes:
            return essays.targets
        positions: FloatArray = np.round(essays.targets / TRAINING_WIDTH * (self.n_classes - 1))
        return positions

    def targets(self, outputs: FloatArray) -> FloatArray:
        """Return training-scale predictions (n,) of values (n,) or class probabilities (n, k)."""
        if not self.n_classes:
            return outputs
        scores = np.linspace(0.0, TRAINING_WIDTH, self.n_classes)
        if self.mode == "ordinal_multiclass_argmax":
            likeliest: FloatArray = scores[outputs.argmax(axis=1)]
            return likeliest
        expected: FloatArray = outputs @ scores
        return expected


def training_mode(mode: Mode, scales: ScoreScales) -> TrainingMode:
    """Return the mode on these scales; raise InputError for classes without one shared scale."""
    if mode == "regression":
        return TrainingMode(mode, 0)
    if scales.shared is None:
        raise InputError(
            f"mode {mode!r} needs one score scale, but each prompt has its own",
            mend="use mode 'regression'",
        )
    return TrainingMode(mode, scales.shared.n_labels)


class BoostedScorer(FamilyScorer[B]):
    """Boosted trees on columns; they stop when `dev`, unweighted, no longer gets better."""

    file: ClassVar[str]
    """The name of the trees' file."""

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Boost; `rounds` counts the rounds kept, `curve` has train and dev loss of all rounds."""
        mode = self.mode
        sample = TrainingSample(
            self.columns.remember(train.essays), mode.labels(train), self.weights(train)
        )
        stop = TrainingSample(self.columns.matrix(dev.essays), mode.labels(dev), np.ones(len(dev)))
        report = self.boost(sample, stop, mode.n_classes)
        self.facts = {"rounds": report.rounds or 0, "classes": mode.n_classes}
        return report

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions of the best iteration on the training scale, shape (n,)."""
        return self.mode.targets(self.outputs(self.columns.matrix(essays)))

    def read(self, folder: Path, card: Card) -> None:
        """Read the trees; raise InputError if they have other columns or classes than expected."""
        classes, expected = saved_fact(folder, card, "classes"), self.mode.n_classes
        if classes != expected:
            raise InputError(
                f"fitted on a scale of {classes} labels, but this one has {expected}",
                where=str(folder / CARD_NAME),
                mend="use the score scale that the scorer was fitted on",
            )
        path = saved_file(folder, card, self.file)
        try:
            self.read_trees(path.read_bytes(), len(card.columns), self.mode.n_classes)
        except ValueError as error:  # also from a library, about what it reads
            what = f"not such trees on {len(card.columns)} columns ({error})"
            raise InputError(what, where=str(path), mend=REFIT) from None

    @property
    def mode(self) -> TrainingMode:
        """The training mode on the scales of the context."""
        return training_mode(self.settings.mode, self.context.scales)

    @abstractmethod
    def boost(self, train: TrainingSample, dev: TrainingSample, n_classes: int) -> FitReport:
        """Fit trees on `train` and keep those up to the best round on `dev`."""

    @abstractmethod
    def outputs(self, values: Matrix) -> FloatArray:
        """Return values (n,), or class probabilities (n, k), of the kept trees."""

    def contributions(self, values: Matrix) -> FloatArray:
        """Return TreeSHAP values, then the base, shape (n, p + 1); InputError for classes."""
        if self.mode.n_classes:
            raise InputError(
                f"mode {self.settings.mode!r} predicts classes, whose contributions add up to "
                "log-odds and not to a score",
                mend="explain a run of mode 'regression'",
            )
        return self.tree_shap(values)

    @abstractmethod
    def tree_shap(self, values: Matrix) -> FloatArray:
        """Return the Shapley values of the kept trees, then the base, shape (n, p + 1)."""

    @abstractmethod
    def read_trees(self, data: bytes, n_columns: int, n_classes: int) -> None:
        """Check a file's bytes and read the trees; ValueError for any that are not such trees."""
