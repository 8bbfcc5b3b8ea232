"""Families that are a regressor of scikit-learn: chosen on `dev`, saved by skops, not pickle."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from zipfile import ZipFile, ZipInfo

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.files import write_bytes
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.family import FamilyScorer, S, error_on, fitted
from essay_scoring.models.linear import Standardiser, fit_standardiser, linear_contributions

if TYPE_CHECKING:
    from essay_scoring.models.card import Card

_FILE = "model.skops"
_ADDRESS = re.compile(r'(?<="__id__": )\d+|\d+(?=\.np[yz])')


class EstimatorScorer(FamilyScorer[S]):
    """A regressor on standardised columns, fitted on `train`: of all tried the best on `dev`.

    A family fills in `estimators`. It is not fitted again on train and dev together, so that all
    families learn from the same essays.
    """

    tuned: ClassVar[str] = "value"
    """What the numbers of `estimators` are, for the card and the curve."""

    trusted: ClassVar[tuple[str, ...]] = ()
    """Types in the estimator, by full name, that skops does not know to be harmless."""

    standardiser: Standardiser | None = None
    estimator: Any = None

    @abstractmethod
    def estimators(self, n_columns: int) -> Mapping[float, Any]:
        """Return unfitted estimators to try, by the number that tells them apart."""

    def standardised(self, values: Matrix) -> FloatArray:
        """Return columns (n, p) as the estimator sees them."""
        return fitted(self.standardiser).apply(values)

    def outputs(self, z: FloatArray) -> FloatArray:
        """Return training-scale predictions, shape (n,), for standardised columns (n, p)."""
        return np.asarray(fitted(self.estimator).predict(z), dtype=np.float64)

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Fit all and keep the best; `curve["dev_by_<tuned>"]` holds the dev errors."""
        values = self.columns.remember(train.essays)
        self.standardiser = fit_standardiser(values)
        z, ahead = (self.standardised(v) for v in (values, self.columns.matrix(dev.essays)))
        weights, errors = self.weights(train), {}
        tried = self.estimators(z.shape[1])
        for number, estimator in tried.items():
            self.estimator = estimator.fit(z, train.targets, sample_weight=weights)
            errors[number] = error_on(dev, self.outputs(ahead))
        best = min(errors, key=lambda number: errors[number])
        self.estimator, self.facts = tried[best], {self.tuned: best}
        return FitReport(curve={f"dev_by_{self.tuned}": [*errors.values()]})

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions on the training scale, shape (n,), not clipped to it."""
        return self.outputs(self.standardised(self.columns.matrix(essays)))

    def contributions(self, values: Matrix) -> FloatArray:
        """Return coefficient times standardised value, then the intercept, shape (n, p + 1).

        Of regressors with `coef_`: those of families with `explained_by = "coefficients"`.
        """
        z, model = self.standardised(values), fitted(self.estimator)
        return linear_contributions(z, np.ravel(model.coef_), float(np.ravel(model.intercept_)[0]))

    def write(self, folder: Path) -> Sequence[str]:
        """Write the columns' means and deviations and the estimator."""
        from skops import io

        scale = fitted(self.standardiser)
        model = {"mean": scale.mean, "deviation": scale.deviation, "estimator": self.estimator}
        write_bytes(folder / _FILE, _same_bytes(io.dumps(model)))
        return (_FILE,)

    def read(self, folder: Path, card: Card) -> None:
        """Read what `write` wrote; InputError for any type that is not trusted, nothing loaded."""
        from skops import io

        from essay_scoring.models.card import REFIT, saved_file

        path = saved_file(folder, card, _FILE)
        try:
            model = io.loads(path.read_bytes(), trusted=list(self.trusted))
            self.standardiser = Standardiser(model["mean"], model["deviation"])
            self.estimator = model["estimator"]
            fits = self.estimator.n_features_in_ == len(self.standardiser.mean) == len(card.columns)
        except Exception as error:  # noqa: BLE001
            # skops raises whatever a damaged file leads it to.
            what = f"not a saved estimator ({type(error).__name__})"
            raise InputError(what, where=str(path), mend=REFIT) from None
        if not fits:
            what = f"not an estimator of {len(card.columns)} columns"
            raise InputError(what, where=str(path), mend=REFIT)


def _same_bytes(saved: bytes) -> bytes:
    """Return what skops wrote without its clock and memory addresses: equal models, equal bytes."""
    numbers: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], str(len(numbers)))

    out = BytesIO()
    with ZipFile(BytesIO(saved)) as source, ZipFile(out, "w") as sink:
        schema = _ADDRESS.sub(renamed, source.read("schema.json").decode())
        for name in (name for name in source.namelist() if name != "schema.json"):
            sink.writestr(ZipInfo(_ADDRESS.sub(renamed, name)), source.read(name))
        sink.writestr(ZipInfo("schema.json"), schema)
    return out.getvalue()
