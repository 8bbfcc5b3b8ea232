"""A family of scorers as a regressor of scikit-learn, over texts or columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from essay_scoring.core.contracts import ColumnSource, Matrix, Scorer
from essay_scoring.core.errors import ArgumentError, EssayScoringError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.core.settings import Settings, build_settings
from essay_scoring.data.grouping import cut_dev, groups_of
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.models.registry import ScorerContext, build_scorer, load_scorer
from essay_scoring.models.scorer_settings import ScorerSettings, TrainingSettings
from essay_scoring.scoring.arguments import (
    Labels,
    Scale,
    labels_from,
    numbers_from,
    require_held,
    require_length,
    require_scales,
    scales_from,
    texts_from,
    weights_from,
)
from essay_scoring.scoring.given_columns import GivenColumns, text_columns
from essay_scoring.scoring.kept_files import files_of_scorer, folder_of

_FARTHEST = 1e6
_DEV_AT_LEAST = 4
"""Essays from which some are cut for `dev`; fewer are learnt from and chosen by alike."""


class _Configured(Settings):
    """What a regressor's parameters come to."""

    scorer: ScorerSettings
    features: FeatureSettings
    training: TrainingSettings


_READ_NO_COLUMNS = frozenset({"mean", "length"})
"""Baselines, of which no good score is asked."""


@dataclass(frozen=True, eq=False)
class _Given:
    """Essays, with the numbers (n, p) that were given for them; None where texts are read."""

    essays: Essays
    names: tuple[str, ...] = ()
    values: Matrix | None = None


class EssayScoreRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Any family of scorers as a regressor: raw scores, on the scale of the scores it learnt from.

    `X` are texts (n,), or texts and prompts (n, 2), or columns of numbers (n, p), NaN where
    undefined. `family` names the family and `hyperparameters` its settings; `features` are feature
    sets or a table of feature settings, for texts alone; `training` is a table of training
    settings. `scale` is (low, high, step) or a dict of these by prompt; None takes the range of the
    scores. `cache` keeps the columns of texts (hashes and numbers) between processes.

    Learnt scores are neither rounded nor mapped: EssayScorer also gives labels and intervals.
    """

    def __init__(  # noqa: PLR0913 - one parameter each, by scikit-learn's convention
        self,
        family: str = "ridge",
        *,
        hyperparameters: Mapping[str, Any] | None = None,
        features: Sequence[str] | Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        scale: Scale | None = None,
        seed: int = 42,
        n_jobs: int | None = None,
        cache: str | Path | None = None,
    ) -> None:
        self.family = family
        self.hyperparameters = hyperparameters
        self.features = features
        self.training = training
        self.scale = scale
        self.seed = seed
        self.n_jobs = n_jobs
        self.cache = cache

    def fit(
        self,
        X: Any,  # noqa: N803
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        prompts: Labels | None = None,
    ) -> Self:
        """Learn scores y (n,); the part that stops or chooses is cut by whole `prompts` if known.

        `sample_weight` (n,) says how much each essay counts in learning, 0 leaves it out. Raises
        ArgumentError (a ValueError) for what cannot be learnt from.
        """
        where = f"{type(self).__name__}.fit"
        settings = self._settings(where)
        scores = _scores(y, where)
        given = self._given(X, scores, prompts, reset=True)
        self._require_texts(given, settings.scorer)
        essays = given.essays
        require_length(len(scores), len(essays), "scores", where)
        weights = weights_from(sample_weight, len(scores), where)
        if weights is not None:
            counted = np.flatnonzero(weights)
            essays, scores, weights = essays.take(counted), scores[counted], weights[counted]
        scales = _range_of(scores, where) if self.scale is None else scales_from(self.scale, where)
        require_held(scores, essays.prompts, scales, "y", where)
        train = ScoredEssays(essays, scores, scales, weights=weights)
        fit, dev = self._cut(train, given, settings.training)
        self._columns = self._source(given, settings.features)
        self.scales_ = scales
        self.scorer_: Scorer = build_scorer(settings.scorer, settings.training, self._context())
        self._serve(given)
        self.scorer_.fit(train.take(fit), train.take(dev))
        return self

    def predict(self, X: Any, *, prompts: Labels | None = None) -> FloatArray:  # noqa: N803
        """Return the raw score of each essay, shape (n,), on its own scale, not rounded.

        Raises NotFittedError before `fit`, ArgumentError for another kind of X than was learnt.
        """
        check_is_fitted(self, "scorer_")
        given = self._given(X, None, prompts, reset=False)
        require_scales(given.essays.prompts, self.scales_, f"{type(self).__name__}.predict")
        self._serve(given)
        return self.scorer_.predict(given.essays)

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn has to know: texts and missing numbers are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.regressor_tags.poor_score = self.family in _READ_NO_COLUMNS
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Return parameters and the saved scorer, in formats that cannot run code."""
        state = dict(super().__getstate__())
        state.pop("_columns", None)
        if "scorer_" in state:
            state["scorer_"] = files_of_scorer(state["scorer_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the estimator that was pickled."""
        super().__setstate__(state)
        if isinstance(files := state.get("scorer_"), dict):
            features = self._settings("pickle").features
            self._columns = GivenColumns() if self._numeric else self._source(None, features)
            with folder_of(files) as folder:
                self.scorer_ = load_scorer(folder, self._context())

    @property
    def _numeric(self) -> bool:
        return hasattr(self, "n_features_in_")

    def _settings(self, where: str) -> _Configured:
        """Return the checked settings; ArgumentError names the parameter that is wrong."""
        features = self.features
        if features is None or not isinstance(features, Mapping):
            features = {} if features is None else {"sets": tuple(features)}
        values = {
            "scorer": {"family": self.family, **(self.hyperparameters or {})},
            "features": features,
            "training": self.training or {},
        }
        try:
            return build_settings(_Configured, values, where)
        except EssayScoringError as error:
            what = error.what.replace(f"scorer.{self.family}.", "hyperparameters.")
            raise ArgumentError(what, where=where, mend=error.mend) from None

    def _given(
        self,
        X: Any,  # noqa: N803
        scores: FloatArray | None,
        prompts: Labels | None,
        *,
        reset: bool,
    ) -> _Given:
        """Return what X holds; the kind, and the number of columns, must be those of `fit`."""
        where = f"{type(self).__name__}.{'fit' if reset else 'predict'}"
        texts = texts_from(X, where)
        if reset and texts is not None:
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
        if not reset and (texts is None) != self._numeric:
            kinds = ("texts", "columns of numbers")
            kinds = kinds if texts is None else (kinds[1], kinds[0])
            raise ArgumentError(
                f"it was fitted on {kinds[0]}, and X holds {kinds[1]}",
                where=where,
                mend=f"give {kinds[0]}, or fit it again",
            )
        if texts is None:
            return self._numbers(X, scores, prompts, where, reset=reset)
        if prompts is not None or texts.shape[1] == 1:
            names = labels_from(prompts, len(texts), "prompts", where)
        else:
            names = tuple(map(str, texts[:, 1]))
        return _Given(_essays(tuple(texts[:, 0]), names))

    def _numbers(
        self,
        X: Any,  # noqa: N803
        scores: FloatArray | None,
        prompts: Labels | None,
        where: str,
        *,
        reset: bool,
    ) -> _Given:
        checked = {"dtype": np.float64, "ensure_all_finite": "allow-nan", "reset": reset}
        if scores is None:
            values = validate_data(self, X, **checked)
        else:
            values, _ = validate_data(self, X, scores, y_numeric=True, **checked)
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"column {number}" for number in range(values.shape[1])]
        if len(values) < 2 and reset:
            raise ArgumentError("n_samples = 1", where=where, mend="give two essays or more")
        labels = labels_from(prompts, len(values), "prompts", where)
        columns = np.asarray(values, dtype=np.float32)
        return _Given(_essays(("",) * len(values), labels), tuple(map(str, names)), columns)

    def _require_texts(self, given: _Given, settings: Any) -> None:
        """Raise ArgumentError for a family that reads texts and is given numbers."""
        if given.values is not None and not settings.reads_columns and self.family != "mean":
            raise ArgumentError(
                f"the family '{self.family}' reads texts, and X holds numbers",
                where=f"{type(self).__name__}.fit",
                mend="give texts, or a family that reads columns",
            )

    def _source(self, given: _Given | None, features: FeatureSettings) -> ColumnSource:
        if given is not None and given.values is not None:
            return GivenColumns()
        return text_columns(features, None if self.cache is None else Path(self.cache))

    def _serve(self, given: _Given) -> None:
        """Let the scorer find the numbers of these essays."""
        if given.values is not None and isinstance(self._columns, GivenColumns):
            self._columns.give(given.names, given.values)

    def _cut(
        self, train: ScoredEssays, given: _Given, training: TrainingSettings
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the rows to learn from and those of `dev`: whole prompts, else whole texts."""
        every = np.arange(len(train), dtype=np.int64)
        several = len(set(train.prompts)) > 1
        if given.values is not None:
            groups: Sequence[str] = train.prompts if several else train.essays.ids
        else:
            groups = groups_of(train, "prompt_holdout" if several else "stratified_text")
        if len(set(groups)) < 2 or len(train) < _DEV_AT_LEAST:
            return every, every
        return cut_dev(train, groups, training.dev_share, self.seed)

    def _context(self) -> ScorerContext:
        context = ScorerContext(
            self.scales_, self._columns, self.seed, effective_n_jobs(self.n_jobs)
        )
        return context if self.cache is None else replace(context, cache=Path(self.cache))


def _essays(texts: tuple[str, ...], prompts: tuple[str, ...]) -> Essays:
    return Essays(tuple(map(str, range(len(texts)))), texts, prompts)


def _scores(y: npt.ArrayLike | None, where: str) -> FloatArray:
    if y is None:
        raise ArgumentError(
            "this estimator requires y to be passed, but the target y is None",
            where=where,
            mend="give one score an essay",
        )
    return numbers_from(column_or_1d(y, warn=True), "y", where)


def _range_of(scores: FloatArray, where: str) -> ScoreScales:
    """Return a scale from the lowest to the highest score, in quarters for bands."""
    if not len(scores) or np.abs(scores).max() > _FARTHEST:
        raise ArgumentError(
            f"scores beyond {_FARTHEST:g} either way", where=f"{where}, y", mend="scale them down"
        )
    low, high = float(scores.min()), float(scores.max())
    high = high if high > low else low + 1.0
    return ScoreScales(shared=ScoreScale(low=low, high=high, step=(high - low) / 4))
