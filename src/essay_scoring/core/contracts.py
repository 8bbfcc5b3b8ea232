"""The contracts that scorers and feature blocks keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray, IntArray

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Columns:
    """Named feature columns: `values` has shape (n essays, len(names)); NaN means undefined."""

    names: tuple[str, ...]
    values: Matrix

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError("names and values disagree")

    def take(self, rows: Sequence[int] | IntArray) -> Columns:
        """Return the rows at these positions, in this order."""
        return Columns(self.names, self.values[np.asarray(rows, dtype=np.int64)])


ColumnSource = Callable[[Essays], Columns]
"""What a scorer asks for its feature columns: the same essay gives the same row in any batch."""


class FeatureBlock(Protocol):
    """Named columns of essays, with a version, and nothing learnt from scores."""

    @property
    def name(self) -> str:
        """A short name: the folder of the block in the store."""

    @property
    def feature_set(self) -> str:
        """The feature set that its columns belong to, by which `features.sets` asks for them."""

    @property
    def identity(self) -> dict[str, object]:
        """All that changes a value: version, settings, package versions, encoder hash."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""

    def columns(self, essays: Essays) -> Columns:
        """Return one row per essay; a row depends on its own essay and prompt name alone."""


@dataclass(frozen=True)
class FitReport:
    """What fitting tells besides the model itself.

    `rounds` is the number of boosting rounds or epochs kept (None where that has no meaning);
    `curve` holds named per-round losses, on the training scale.
    """

    rounds: int | None = None
    curve: dict[str, list[float]] = field(default_factory=dict)


class Scorer(Protocol):
    """Anything that learns from scored essays and predicts raw scores for unscored ones."""

    def fit(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Learn from `train`; `dev` (cut from the training groups) may stop training early."""

    def predict(self, essays: Essays) -> FloatArray:
        """Return raw predictions, shape (n,), on each essay's own scale, not rounded."""

    def save(self, folder: Path) -> None:
        """Write the fitted model in formats that cannot execute code."""
