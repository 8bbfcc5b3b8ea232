"""Out-of-fold predictions: all that judging ever sees of a scorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScales

Refit = Literal[
    "qwk_cutpoints_lfo", "qwk_cutpoints_shrunk", "mean_sigma_lfo", "mean_sigma_by_prompt"
]
"""Mappings whose parameters come from the other folds, and that a resample therefore fits again."""

CUTPOINTS: tuple[Refit, ...] = ("qwk_cutpoints_lfo", "qwk_cutpoints_shrunk")
SHRUNK: Refit = "qwk_cutpoints_shrunk"


def refit_of(mapping: str) -> Refit | None:
    """Return a mapping's name if resamples fit it again, else None."""
    return cast("Refit", mapping) if mapping in get_args(Refit) else None


def is_transductive(mapping: str | None) -> bool:
    """Tell whether a mapping uses the other essays of a prompt that is scored, without scores."""
    return mapping == "mean_sigma_by_prompt"


@dataclass(frozen=True, eq=False)
class Predictions:
    """One row per essay, each predicted by a model that never saw its fold; n rows.

    `true` and `final` are scores of the essay's own scale, `raw` is the prediction before it was
    mapped to that scale; all have shape (n,), and `folds` numbers the fold that held the essay out.
    `second` are a second rater's scores, NaN where there is none; None: no essay has one.
    `refit`: the mapping that gave the scores of a fold, if it was fitted on the other folds: a
    resample of the essays has to fit it again.
    """

    ids: tuple[str, ...]
    prompts: tuple[str, ...]
    folds: IntArray
    true: FloatArray
    raw: FloatArray
    final: FloatArray
    scales: ScoreScales
    refit: Refit | None = None
    second: FloatArray | None = None

    def __post_init__(self) -> None:
        columns = (self.prompts, self.folds, self.true, self.raw, self.final)
        optional = () if self.second is None else (self.second,)
        if any(len(column) != len(self.ids) for column in (*columns, *optional)):
            raise ValueError("a column differs in length from the ids")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_second(self) -> bool:
        """Whether some essay has a second rating."""
        return self.second is not None and bool(np.isfinite(self.second).any())

    def numbered_prompts(self) -> tuple[tuple[str, ...], IntArray]:
        """Return the prompts in order of name, and the place of each essay's among them, (n,)."""
        names, of = np.unique(np.asarray(self.prompts, dtype=object), return_inverse=True)
        return tuple(names), of

    def in_common_unit(self, scores: FloatArray) -> FloatArray:
        """Return scores (n,) of the own scales as score points, or from 0 to TRAINING_WIDTH."""
        shared = self.scales.shared is not None
        return scores if shared else self.scales.to_training(scores, self.prompts)

    def take(self, rows: IntArray) -> Predictions:
        """Return the rows at these positions, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        return Predictions(
            tuple(self.ids[i] for i in at),
            tuple(self.prompts[i] for i in at),
            self.folds[at],
            self.true[at],
            self.raw[at],
            self.final[at],
            self.scales,
            self.refit,
            None if self.second is None else self.second[at],
        )
