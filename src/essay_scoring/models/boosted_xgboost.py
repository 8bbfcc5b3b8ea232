"""Boosted trees by XGBoost (Chen and Guestrin 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.files import write_bytes
from essay_scoring.core.interrupts import held, stop_asked
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.family import fitted
from essay_scoring.models.foreign_trees import checked_xgboost
from essay_scoring.models.native_trees import NativeTrees
from essay_scoring.models.ordinal import BoostedScorer, TrainingSample
from essay_scoring.models.scorer_settings import XGBoostSettings


class XGBoostScorer(BoostedScorer[XGBoostSettings]):
    """XGBoost's histogram trees; the same seed, columns and machine give the same trees."""

    file = "model.json"
    booster: Any = None
    _saved: bytes | None = None
    _native: NativeTrees | None = None

    def boost(self, train: TrainingSample, dev: TrainingSample, n_classes: int) -> FitReport:
        """Fit trees on `train` and drop those after the best round on `dev`."""
        curve: dict[str, dict[str, list[float]]] = {}
        with held():
            booster = self._train(train, dev, n_classes, curve)
            # Predicting with a whole booster would use all its trees, the overfitted last ones too.
            self.booster = booster[: booster.best_iteration + 1]
        losses = {name: next(iter(values.values())) for name, values in curve.items()}
        return FitReport(booster.best_iteration + 1, losses)

    def _train(
        self,
        train: TrainingSample,
        dev: TrainingSample,
        n_classes: int,
        curve: dict[str, dict[str, list[float]]],
    ) -> Any:
        xgboost, threads = _xgboost(), self.context.threads
        shape = {"nthread": threads}
        learnt = xgboost.QuantileDMatrix(train.values, train.labels, weight=train.weights, **shape)
        stop = xgboost.QuantileDMatrix(dev.values, dev.labels, ref=learnt, **shape)
        return xgboost.train(
            xgboost_parameters(self.settings, n_classes, self.context.seed, threads),
            learnt,
            num_boost_round=self.settings.rounds,
            evals=[(learnt, "train"), (stop, "dev")],
            early_stopping_rounds=self.settings.patience,
            evals_result=curve,
            verbose_eval=False,
            callbacks=[_leave_when_asked(xgboost)],
        )

    def outputs(self, values: Matrix) -> FloatArray:
        """Return values (n,), or class probabilities (n, k), of the kept trees."""
        if self._native is not None:
            return self._native.outputs(values)
        booster = fitted(self.booster)
        kept = (0, booster.num_boosted_rounds())
        outputs = booster.inplace_predict(values, iteration_range=kept)
        return np.asarray(outputs, dtype=np.float64)

    def tree_shap(self, values: Matrix) -> FloatArray:
        """Return the Shapley values of the kept trees, then the base, shape (n, p + 1)."""
        rows = _xgboost().DMatrix(values, nthread=self.context.threads)
        parts = self._trees().predict(rows, pred_contribs=True)
        return np.asarray(parts, dtype=np.float64)

    def write(self, folder: Path) -> Sequence[str]:
        """Write the kept trees in XGBoost's JSON."""
        write_bytes(folder / self.file, bytes(self._trees().save_raw("json")))
        return (self.file,)

    def read_trees(self, data: bytes, n_columns: int, n_classes: int) -> None:
        """Check XGBoost's JSON and read the trees; ValueError for any that are not such trees."""
        self._saved = checked_xgboost(data, n_columns, n_classes)
        self._native = NativeTrees(self._saved, self.context.threads)

    def _trees(self) -> Any:
        """Return the booster, in XGBoost's own package where the trees were read from a file."""
        if self.booster is None and self._saved is not None:
            self.booster = _xgboost().Booster({"nthread": self.context.threads})
            self.booster.load_model(bytearray(self._saved))
        return fitted(self.booster)


def xgboost_parameters(
    settings: XGBoostSettings, n_classes: int, seed: int, threads: int
) -> dict[str, Any]:
    """Return what is passed to xgboost.train; `n_classes` 0 means regression."""
    skip = {"family", "mode", "rounds", "patience"}
    objective: dict[str, Any] = {"objective": "reg:squarederror", "eval_metric": "rmse"}
    if n_classes:
        objective = {"objective": "multi:softprob", "eval_metric": "mlogloss"}
        objective["num_class"] = n_classes
    machine = {"tree_method": "hist", "seed": seed, "nthread": threads, "verbosity": 1}
    return {**settings.model_dump(exclude=skip), **objective, **machine}


def _leave_when_asked(xgboost: Any) -> Any:
    """Return a callback that ends boosting when a stop signal waits."""

    class Leave(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, *_: object) -> bool:
            return stop_asked()

    return Leave()


def _xgboost() -> Any:
    try:
        import xgboost
    except ModuleNotFoundError:
        raise MissingExtraError("xgboost", "boosted") from None
    return xgboost
