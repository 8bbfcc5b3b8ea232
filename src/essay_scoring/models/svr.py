"""Support vector regression (Drucker et al. 1997) on standardised columns, by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import FitReport
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.arrays import Shape, read_arrays, write_arrays
from essay_scoring.models.card import Card, saved_file
from essay_scoring.models.family import FamilyScorer, error_on, fitted
from essay_scoring.models.linear import Standardiser, fit_standardiser
from essay_scoring.models.scorer_settings import SVRSettings

_FILE = "model.safetensors"


@dataclass(frozen=True, eq=False)
class SupportVectors:
    """intercept + sum over support vectors (m, p) of coefficients (m,) times the kernel."""

    vectors: FloatArray
    coefficients: FloatArray
    intercept: float
    gamma: float

    def predict(self, z: FloatArray) -> FloatArray:
        """Return predictions, shape (n,), for standardised columns (n, p)."""
        from sklearn.metrics.pairwise import rbf_kernel

        product: FloatArray = rbf_kernel(z, self.vectors, self.gamma) @ self.coefficients
        return product + self.intercept


class SVRScorer(FamilyScorer[SVRSettings]):
    """Support vectors fitted on `train`, at the penalty that errs least on `dev`.

    Like ridge, it is not fitted again on train and dev together.
    """

    standardiser: Standardiser | None = None
    model: SupportVectors | None = None

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Fit every penalty and keep the best; `curve["dev_by_penalty"]` holds the dev errors."""
        values = self.columns.remember(train.essays)
        self.standardiser = fit_standardiser(values)
        z, ahead = (self.standardiser.apply(v) for v in (values, self.columns.matrix(dev.essays)))
        penalties, weights = self.settings.penalties, self.weights(train)
        models = [self._fit(z, train.targets, weights, penalty) for penalty in penalties]
        errors = [error_on(dev, model.predict(ahead)) for model in models]
        best = int(np.argmin(errors))
        self.model, self.facts = models[best], {"penalty": penalties[best]}
        return FitReport(curve={"dev_by_penalty": errors})

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions on the training scale, shape (n,), not clipped to it."""
        z = fitted(self.standardiser).apply(self.columns.matrix(essays))
        return fitted(self.model).predict(z)

    def write(self, folder: Path) -> Sequence[str]:
        """Write columns' means and deviations, support vectors and coefficients as safetensors."""
        standardiser, model = fitted(self.standardiser), fitted(self.model)
        arrays = {
            "mean": standardiser.mean,
            "deviation": standardiser.deviation,
            "vectors": model.vectors,
            "coefficients": model.coefficients,
            "intercept": np.array([model.intercept]),
            "gamma": np.array([model.gamma]),
        }
        write_arrays(folder / _FILE, arrays)
        return (_FILE,)

    def read(self, folder: Path, card: Card) -> None:
        """Read what `write` wrote; raise InputError if it does not fit the card's columns."""
        p = len(card.columns)
        shapes: dict[str, Shape] = {
            "mean": (p,),
            "deviation": (p,),
            "vectors": (None, p),
            "coefficients": (None,),
            "intercept": (1,),
            "gamma": (1,),
        }
        path = saved_file(folder, card, _FILE)
        read = read_arrays(path, shapes, f"support vectors of {p} columns")
        self.standardiser = Standardiser(read["mean"], read["deviation"])
        self.model = SupportVectors(
            read["vectors"],
            read["coefficients"],
            float(read["intercept"][0]),
            float(read["gamma"][0]),
        )

    def _fit(
        self, z: FloatArray, targets: FloatArray, weights: FloatArray, penalty: float
    ) -> SupportVectors:
        """Return the support vectors of one penalty."""
        from sklearn.svm import SVR

        gamma = self.settings.gamma / z.shape[1]
        model = SVR(C=penalty, gamma=gamma, epsilon=self.settings.epsilon)
        model.fit(z, targets, sample_weight=weights)
        return SupportVectors(
            model.support_vectors_, model.dual_coef_[0], float(model.intercept_[0]), gamma
        )
