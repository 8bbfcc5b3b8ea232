"""What all families of scorers share: checks, scales, weights and saving."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.settings import Settings
from essay_scoring.models.columns import FittedColumns
from essay_scoring.models.context import ScorerContext
from essay_scoring.models.family_settings import TrainingSettings
from essay_scoring.models.softening import soften
from essay_scoring.models.weighting import training_weights

if TYPE_CHECKING:
    from essay_scoring.models.card import Card

_RAW_DIGITS = 6
"""Of raw predictions: linear algebra rounds differently on every kind of processor, far below."""

S = TypeVar("S", bound=Settings)
T = TypeVar("T")


class FamilyScorer(ABC, Generic[S]):
    """A scorer that learns and predicts on the common training scale (0 to 4).

    A family fills in `learn`, `predict_targets`, `write` and `read`; the public methods are final.
    """

    def __init__(self, settings: S, training: TrainingSettings, context: ScorerContext) -> None:
        self.settings = settings
        self.training = training
        self.context = context
        self.columns = FittedColumns(context.columns)
        self.facts: dict[str, int | float] = {}

    def fit(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Learn from `train`, stopping or choosing on `dev`; InputError if either is empty."""
        for name, essays in (("training", train), ("dev", dev)):
            if not len(essays):
                raise InputError(
                    f"there are no {name} essays", mend="give more essays or fewer folds"
                )
        return self.learn(soften(train, self.training.trait_share), dev)

    def predict(self, essays: Essays) -> FloatArray:
        """Return raw predictions, shape (n,), on each essay's own scale; all of them finite.

        They have six decimals: the same bytes whatever kernel of linear algebra a processor takes.
        """
        if not len(essays):
            return np.empty(0, dtype=np.float64)
        targets = self.predict_targets(essays)
        raw = self.context.scales.from_training(targets, essays.prompts)
        return require_finite(np.round(raw, _RAW_DIGITS), essays)

    def contributions(self, values: Matrix) -> FloatArray:
        """Return what each column adds to each target, then the base value, shape (n, p + 1).

        `values` are the columns (n, p). Families whose settings have `explained_by` fill this in.
        """
        raise NotImplementedError(f"{type(self).__name__} does not take its predictions apart")

    def save(self, folder: Path) -> None:
        """Write model files in formats that cannot execute code, then the card."""
        # A card holds the settings of any family, so its module imports them all.
        from essay_scoring.models.card import Card, write_card

        names = self.write(folder)
        card = {
            "settings": self.settings,
            "training": self.training,
            "seed": self.context.seed,
            "columns": self.columns.names,
            "facts": self.facts,
            "files": {name: file_sha256(folder / name) for name in names},
        }
        write_card(folder, Card.model_validate(card))

    def restore(self, folder: Path, card: Card) -> None:
        """Become the scorer that `save` wrote; raise InputError if its files are not whole."""
        self.columns.names = card.columns
        self.facts = dict(card.facts)
        self.read(folder, card)

    def weights(self, train: ScoredEssays) -> FloatArray:
        """Return the training weight of each essay, shape (n,): by its score band, and its own."""
        return training_weights(train, self.training)

    @abstractmethod
    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Learn from essays, neither of them empty."""

    @abstractmethod
    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions on the training scale, shape (n,), n > 0."""

    @abstractmethod
    def write(self, folder: Path) -> Sequence[str]:
        """Write the model's files; return their names."""

    @abstractmethod
    def read(self, folder: Path, card: Card) -> None:
        """Read what `write` wrote, once `saved_file` has checked it."""


def require_finite(raw: FloatArray, essays: Essays) -> FloatArray:
    """Return predictions unchanged; NotFiniteError names the first essay without a number."""
    bad = np.flatnonzero(~np.isfinite(raw))
    if len(bad):
        raise NotFiniteError(
            f"{len(bad)} of {len(raw)} predictions are not finite numbers",
            where=f"essay {essays.ids[bad[0]]}",
        )
    return raw


def fitted(model: T | None) -> T:
    """Return the model; raise RuntimeError if there is none yet."""
    if model is None:
        raise RuntimeError("fit or load the scorer first")
    return model


def error_on(dev: ScoredEssays, predicted: FloatArray) -> float:
    """Return the root mean squared error of training-scale predictions (n,) on dev."""
    return float(np.sqrt(np.mean((predicted - dev.targets) ** 2)))
