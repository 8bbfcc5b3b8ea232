"""Ridge regression on standardised columns, and what linear families share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.card import Card, saved_file
from essay_scoring.models.family import FamilyScorer, S, error_on, fitted
from essay_scoring.models.linear import (
    LinearModel,
    fit_ridge_path,
    linear_contributions,
    read_linear,
    write_linear,
)
from essay_scoring.models.scorer_settings import RidgeSettings

_FILE = "model.safetensors"


class LinearScorer(FamilyScorer[S]):
    """What families with a linear model share: predicting, saving and loading it."""

    model: LinearModel | None = None

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions on the training scale, shape (n,), not clipped to it."""
        return fitted(self.model).predict(self.columns.matrix(essays))

    def contributions(self, values: Matrix) -> FloatArray:
        """Return coefficient times standardised value, then the intercept, shape (n, p + 1)."""
        model = fitted(self.model)
        z = model.standardiser.apply(values)
        return linear_contributions(z, model.coefficients, model.intercept)

    def write(self, folder: Path) -> Sequence[str]:
        """Write the coefficients as safetensors."""
        write_linear(folder / _FILE, fitted(self.model))
        return (_FILE,)

    def read(self, folder: Path, card: Card) -> None:
        """Read the coefficients; raise InputError if they do not fit the card's columns."""
        self.model = read_linear(saved_file(folder, card, _FILE), len(card.columns))


class RidgeScorer(LinearScorer[RidgeSettings]):
    """Ridge fitted on `train`, with the strength of `alphas` that errs least on `dev`.

    The model is not refitted on train and dev together: boosted trees cannot use `dev` for learning
    either, so all families learn from the same essays and stay comparable.
    """

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Fit every strength and keep the best; `curve["dev_by_alpha"]` holds the dev errors."""
        values, alphas = self.columns.remember(train.essays), self.settings.alphas
        models = fit_ridge_path(values, train.targets, self.weights(train), alphas)
        dev_values = self.columns.matrix(dev.essays)
        errors = [error_on(dev, model.predict(dev_values)) for model in models]
        best = int(np.argmin(errors))
        self.model, self.facts = models[best], {"alpha": alphas[best]}
        return FitReport(curve={"dev_by_alpha": errors})
