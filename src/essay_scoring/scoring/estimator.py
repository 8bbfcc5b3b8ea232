"""The scorer as an estimator: three lines of Python from essays to scores."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import atomic_path
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray, ScoreScales
from essay_scoring.core.settings import build_settings
from essay_scoring.records.config import RunConfig, lay_over
from essay_scoring.records.workspace import Workspace
from essay_scoring.scoring.model import COLUMNS, Scored, TrainedModel
from essay_scoring.scoring.train_model import TrainingOrder, train_model

_MOST_FOLDS = 5
_NUMBERS = 4


class EssayScorer(BaseEstimator):  # type: ignore[misc]
    """Learns scores of essays and predicts them for essays on any prompt.

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
        scale: Any = (1.0, 5.0, 0.5),
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

    def fit(self, texts: Sequence[str], scores: npt.ArrayLike, *, prompts: Sequence[str]) -> Self:
        """Learn from scored essays of two prompts or more, as `essay-scoring train` does.

        Every prompt is held out in turn for cut-points and intervals. Raises InputError for essays
        that cannot be used.
        """
        with contextlib.ExitStack() as stack:
            name = self.folder or stack.enter_context(tempfile.TemporaryDirectory())
            self.model_ = self._train(Path(name), texts, scores, prompts)
        return self

    def _train(
        self, home: Path, texts: Sequence[str], scores: npt.ArrayLike, prompts: Sequence[str]
    ) -> TrainedModel:
        table = home / "essays.parquet"
        _write_table(table, texts, scores, prompts)
        config = self._config(table, len(set(prompts)))
        order = TrainingOrder(config, home / "models", self.coverage)
        space = Workspace(home / "runs", home / "cache", home)
        folder = train_model(
            order, space, Progress(), report=lambda _: None, resume="fit the scorer again"
        )
        return TrainedModel(folder, space.cache)

    def predict(self, texts: Sequence[str], prompts: Sequence[str] | None = None) -> FloatArray:
        """Return the score of each essay, shape (n,), each a label of its scale."""
        return np.array([scored.band for scored in self._score(texts, prompts)], dtype=np.float64)

    def predict_table(
        self, texts: Sequence[str], prompts: Sequence[str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Return all that `essay-scoring score` adds to a table, by column, each of shape (n,)."""
        scored = self._score(texts, prompts)
        rows = [(one.band, one.raw, one.low, one.high, *one.flags) for one in scored]
        kinds = [np.float64 if at < _NUMBERS else np.bool_ for at in range(len(COLUMNS))]
        return {
            name: np.array([row[at] for row in rows], dtype=kinds[at])
            for at, name in enumerate(COLUMNS)
        }

    def _score(self, texts: Sequence[str], prompts: Sequence[str] | None) -> list[Scored]:
        if not hasattr(self, "model_"):
            raise NotFittedError("fit the scorer, or load one")
        names = [""] * len(texts) if prompts is None else list(prompts)
        ids = tuple(f"essay {number}" for number in range(len(texts)))
        return self.model_.score(Essays(ids, tuple(texts), tuple(names)))

    def _config(self, table: Path, n_prompts: int) -> RunConfig:
        """Return the run config of these essays: all of them kept, whatever their length."""
        columns = {"id": "id", "text": "text", "prompt": "prompt", "score": "score"}
        corpus = {
            "kind": "table",
            "path": str(table.resolve()),
            "columns": columns,
            "scales": _scales(self.scale),
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


def _scales(scale: Any) -> dict[str, Any]:
    """Return the scales of (low, high, step), or of a dict of these by prompt."""
    if isinstance(scale, Mapping):
        return {"by_prompt": {prompt: _one_scale(each) for prompt, each in scale.items()}}
    return {"shared": _one_scale(scale)}


def _plain(scales: ScoreScales) -> Any:
    """Return scales as the parameter `scale` gives them."""
    if scales.shared is None:
        return {name: (each.low, each.high, each.step) for name, each in scales.by_prompt.items()}
    return scales.shared.low, scales.shared.high, scales.shared.step


def _one_scale(scale: Any) -> dict[str, float]:
    return dict(zip(("low", "high", "step"), scale, strict=True))


def _write_table(
    path: Path, texts: Sequence[str], scores: npt.ArrayLike, prompts: Sequence[str]
) -> None:
    """Write essays as a corpus that a run reads."""
    import pyarrow
    from pyarrow import parquet

    values = np.asarray(scores, dtype=np.float64)
    if not len(texts) == len(values) == len(prompts):
        raise InputError(
            f"{len(texts)} texts, {len(values)} scores and {len(prompts)} prompts",
            where="EssayScorer.fit",
            mend="give one score and one prompt for each text",
        )
    columns = {
        "id": pyarrow.array([f"essay-{number}" for number in range(len(texts))]),
        "text": pyarrow.array(list(texts), type=pyarrow.string()),
        "prompt": pyarrow.array([str(prompt) for prompt in prompts]),
        "score": pyarrow.array(values),
    }
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(columns), temporary)
