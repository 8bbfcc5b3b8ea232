"""The scorer as an estimator: three lines of Python from essays to scores."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError

from essay_scoring.core.errors import ArgumentError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import atomic_path
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray, ScoreScales
from essay_scoring.core.settings import build_settings
from essay_scoring.records.config import RunConfig, lay_over
from essay_scoring.records.workspace import Workspace
from essay_scoring.scoring.arguments import (
    Labels,
    Scale,
    labels_from,
    numbers_from,
    require_held,
    require_length,
    scales_from,
    texts_from,
    weights_from,
)
from essay_scoring.scoring.kept_files import files_of, folder_of
from essay_scoring.scoring.model import COLUMNS, Scored, TrainedModel
from essay_scoring.scoring.train_model import TrainingOrder, train_model


@dataclass(frozen=True, eq=False)
class _Known:
    """Scored essays, n of each; `weights` (n,) are above 0."""

    texts: Sequence[str]
    scores: FloatArray
    prompts: Sequence[str]
    weights: FloatArray | None = None


_MOST_FOLDS = 5
_NUMBERS = 4


class EssayScorer(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Learns scores of essays and predicts labels, with intervals, for essays on any prompt.

    `family` names a family of scorers; `settings` are tables of a run config laid over its defaults
    ({"scorer": {"max_depth": 4}, "features": {"sets": ["handcrafted"]}}); `scale` is (low, high,
    step) or a dict of these by prompt; `coverage` is that of the prediction intervals. `folder`
    keeps runs, models and caches, essays among them; None keeps nothing but the fitted object.
    """

    def __init__(
        self,
        family: str = "ridge",
        settings: Mapping[str, Any] | None = None,
        *,
        scale: Scale = (1.0, 5.0, 0.5),
        coverage: float = 0.9,
        seed: int = 42,
        folder: str | Path | None = None,
    ) -> None:
        self.family = family
        self.settings = settings
        self.scale = scale
        self.coverage = coverage
        self.seed = seed
        self.folder = folder

    @classmethod
    def load(cls, folder: str | Path, cache: str | Path = "cache") -> Self:
        """Return the scorer of a model folder that `train` or `fit` wrote, ready to predict."""
        model = TrainedModel(Path(folder), Path(cache))
        config = model.config.model_dump(mode="json", include={"features", "scorer", "training"})
        scorer = cls(
            model.record.family,
            config,
            scale=_plain(model.scales),
            coverage=model.interval.coverage,
            seed=model.config.seed,
        )
        scorer.model_ = model
        return scorer

    def fit(
        self,
        texts: Sequence[str],
        scores: npt.ArrayLike,
        *,
        prompts: Labels,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn from scored essays of two prompts or more, as `essay-scoring train` does.

        Every prompt is held out in turn for cut-points and intervals, which count all essays alike;
        `sample_weight` (n,) says how much each counts in learning, 0 leaves it out of all. Raises
        ArgumentError (a ValueError) for arguments, InputError for essays, that cannot be used.
        """
        known = self._known(texts, scores, prompts, sample_weight)
        with contextlib.ExitStack() as stack:
            name = self.folder or stack.enter_context(tempfile.TemporaryDirectory())
            self.model_ = self._train(Path(name), known)
            self._files = None if self.folder else files_of(self.model_.folder)
        return self

    def _known(
        self,
        texts: Sequence[str],
        scores: npt.ArrayLike,
        prompts: Labels,
        sample_weight: npt.ArrayLike | None,
    ) -> _Known:
        """Return what can be learnt from, of the essays that count; else ArgumentError."""
        where = "EssayScorer.fit"
        essays, values = _texts(texts, where), numbers_from(scores, "scores", where)
        require_length(len(values), len(essays), "scores", where)
        names = labels_from(prompts, len(essays), "prompts", where)
        require_held(values, names, scales_from(self.scale, where), "scores", where)
        weights = weights_from(sample_weight, len(essays), where)
        if weights is None:
            return _Known(essays, values, names)
        rows = np.flatnonzero(weights).tolist()
        kept, of = [essays[row] for row in rows], [names[row] for row in rows]
        return _Known(kept, values[rows], of, weights[rows])

    def _train(self, home: Path, known: _Known) -> TrainedModel:
        table = home / "essays.parquet"
        _write_table(table, known)
        config = self._config(table, known)
        order = TrainingOrder(config, home / "models", self.coverage)
        space = Workspace(home / "runs", home / "cache", home)
        folder = train_model(
            order, space, Progress(), report=lambda _: None, resume="fit the scorer again"
        )
        return TrainedModel(folder, space.cache)

    def __getstate__(self) -> dict[str, Any]:
        """Return parameters and the files of the model, in formats that cannot run code."""
        state = dict(super().__getstate__())
        if "model_" in state and state.get("_files") is None:
            state["_files"] = files_of(self.model_.folder)
        state.pop("model_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the scorer that was pickled."""
        super().__setstate__(state)
        if files := state.get("_files"):
            with folder_of(files) as folder:
                self.model_ = TrainedModel(folder)

    def predict(self, texts: Sequence[str], prompts: Labels | None = None) -> FloatArray:
        """Return the score of each essay, shape (n,), each a label of its scale."""
        return np.array([scored.band for scored in self._score(texts, prompts)], dtype=np.float64)

    def predict_table(
        self, texts: Sequence[str], prompts: Labels | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Return all that `essay-scoring score` adds to a table, by column, each of shape (n,)."""
        scored = self._score(texts, prompts)
        rows = [(one.band, one.raw, one.low, one.high, *one.flags) for one in scored]
        kinds = [np.float64 if at < _NUMBERS else np.bool_ for at in range(len(COLUMNS))]
        return {
            name: np.array([row[at] for row in rows], dtype=kinds[at])
            for at, name in enumerate(COLUMNS)
        }

    def _score(self, texts: Sequence[str], prompts: Labels | None) -> list[Scored]:
        if not hasattr(self, "model_"):
            raise NotFittedError("fit the scorer, or load one")
        where = "EssayScorer.predict"
        essays = _texts(texts, where)
        names = labels_from(prompts, len(essays), "prompts", where)
        ids = tuple(f"essay {number}" for number in range(len(essays)))
        return self.model_.score(Essays(ids, essays, names))

    def _config(self, table: Path, known: _Known) -> RunConfig:
        """Return the run config of these essays: all of them kept, whatever their length."""
        columns = {name: name for name in _columns(known)}
        n_prompts = len(set(known.prompts))
        corpus = {
            "kind": "table",
            "path": str(table.resolve()),
            "columns": columns,
            "scales": scales_from(self.scale, "EssayScorer").model_dump(exclude_defaults=True),
        }
        defaults = {
            "name": "essay-scorer",
            "seed": self.seed,
            "data": {
                "corpus": corpus,
                "preparation": {"min_words": 0, "max_words": 1_000_000},
                "splits": {"n_splits": max(2, min(_MOST_FOLDS, n_prompts)), "seed": self.seed},
            },
            "scorer": {"family": self.family},
            "training": {"mapping": "round_half_band"} if isinstance(self.scale, Mapping) else {},
            "evaluation": {"replicates": 100},
            "baselines": [],
        }
        return build_settings(RunConfig, lay_over(defaults, self.settings or {}), "EssayScorer")


def _plain(scales: ScoreScales) -> Any:
    """Return scales as the parameter `scale` gives them."""
    if scales.shared is None:
        return {name: (each.low, each.high, each.step) for name, each in scales.by_prompt.items()}
    return scales.shared.low, scales.shared.high, scales.shared.step


def _texts(texts: Sequence[str], where: str) -> tuple[str, ...]:
    """Return texts; raise ArgumentError for anything else."""
    table = texts_from(texts, where) if len(texts) else np.empty((0, 1), dtype=object)
    if table is None or table.shape[1] != 1:
        raise ArgumentError("it holds no texts", where=f"{where}, texts", mend="give one an essay")
    return tuple(table[:, 0])


def _columns(known: _Known) -> dict[str, Any]:
    """Return the columns of a corpus, by the name of the part that each plays."""
    columns = {
        "id": [f"essay-{number}" for number in range(len(known.texts))],
        "text": list(known.texts),
        "prompt": list(known.prompts),
        "score": known.scores,
    }
    return columns if known.weights is None else {**columns, "weight": known.weights}


def _write_table(path: Path, known: _Known) -> None:
    """Write essays as a corpus that a run reads."""
    import pyarrow
    from pyarrow import parquet

    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(_columns(known)), temporary)
