"""Boosted trees by CatBoost (Prokhorenkova et al. 2018), all of them symmetric."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import FitReport, Matrix
from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.files import atomic_path
from essay_scoring.core.interrupts import held, stop_asked
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.family import fitted
from essay_scoring.models.foreign_trees import check_catboost
from essay_scoring.models.ordinal import BoostedScorer, TrainingSample
from essay_scoring.models.scorer_settings import CatBoostSettings

_CHANGES_BY_RUN = ("model_guid", "train_finish_time")
"""What CatBoost puts into a model that differs between two equal fits."""


class CatBoostScorer(BoostedScorer[CatBoostSettings]):
    """CatBoost's symmetric trees; the same seed, columns and machine give the same trees."""

    file = "model.cbm"
    booster: Any = None

    def boost(self, train: TrainingSample, dev: TrainingSample, n_classes: int) -> FitReport:
        """Fit trees on `train` and drop those after the best round on `dev`."""
        with held():
            booster = self._train(train, dev, n_classes)
        for key in _CHANGES_BY_RUN:
            booster.get_metadata()[key] = ""
        self.booster = booster
        losses = booster.get_evals_result()
        names = {"learn": "train", "validation": "dev"}
        curve = {name: next(iter(losses[key].values())) for key, name in names.items()}
        return FitReport(booster.tree_count_, curve)

    def _train(self, train: TrainingSample, dev: TrainingSample, n_classes: int) -> Any:
        catboost, context = _catboost(), self.context
        booster = catboost.CatBoost(
            catboost_parameters(self.settings, n_classes, context.seed, context.threads)
        )
        try:
            return booster.fit(
                catboost.Pool(train.values, train.labels, weight=train.weights),
                eval_set=catboost.Pool(dev.values, dev.labels),
                callbacks=[_LeaveWhenAsked()],
                # Labels without an essay are announced on stderr; here they are no accident.
                log_cout=io.StringIO(),
                log_cerr=io.StringIO(),
            )
        except catboost.CatBoostError as error:
            raise InputError(f"CatBoost cannot fit these columns ({error})") from None

    def outputs(self, values: Matrix) -> FloatArray:
        """Return values (n,), or class probabilities (n, k), of the kept trees."""
        kind = "Probability" if self.mode.n_classes else "RawFormulaVal"
        outputs = fitted(self.booster).predict(
            values, prediction_type=kind, thread_count=self.context.threads
        )
        return np.asarray(outputs, dtype=np.float64)

    def tree_shap(self, values: Matrix) -> FloatArray:
        """Return the Shapley values of the kept trees, then the base, shape (n, p + 1)."""
        parts = fitted(self.booster).get_feature_importance(
            _catboost().Pool(values), type="ShapValues", thread_count=self.context.threads
        )
        return np.asarray(parts, dtype=np.float64)

    def write(self, folder: Path) -> Sequence[str]:
        """Write the kept trees in CatBoost's binary form; its JSON does not round-trip exactly."""
        with atomic_path(folder / self.file) as path:
            try:
                fitted(self.booster).save_model(str(path), format="cbm")
            except _catboost().CatBoostError:
                raise OSError(errno.ENOSPC, "the trees cannot be written") from None
        return (self.file,)

    def read_trees(self, data: bytes, n_columns: int, n_classes: int) -> None:
        """Have the trees checked and read them; ValueError for any that are not such trees."""
        check_catboost(data, n_columns, n_classes)
        self.booster = _catboost().CatBoost()
        try:
            self.booster.load_model(blob=data, format="cbm")
        except _catboost().CatBoostError as error:
            raise ValueError(type(error).__name__) from None


class _LeaveWhenAsked:
    """Ends boosting when a stop signal waits."""

    def after_iteration(self, _: object) -> bool:
        """Return whether boosting goes on."""
        return not stop_asked()


def catboost_parameters(
    settings: CatBoostSettings, n_classes: int, seed: int, threads: int
) -> dict[str, Any]:
    """Return what is passed to catboost.CatBoost; `n_classes` 0 means regression."""
    skip = {"family", "mode", "rounds", "patience"}
    objective: dict[str, Any] = {"loss_function": "RMSE"}
    if n_classes:
        objective = {"loss_function": "MultiClass", "classes_count": n_classes}
    stopping = {
        "iterations": settings.rounds,
        "od_type": "Iter",
        "od_wait": settings.patience,
        "use_best_model": True,
    }
    machine = {
        "bootstrap_type": "Bernoulli",
        "boosting_type": "Plain",
        "random_seed": seed,
        "thread_count": threads,
        "allow_writing_files": False,
        "allow_const_label": True,
        "logging_level": "Silent",
    }
    return {**settings.model_dump(exclude=skip), **objective, **stopping, **machine}


def _catboost() -> Any:
    try:
        import catboost
    except ModuleNotFoundError:
        raise MissingExtraError("catboost", "boosted") from None
    return catboost
