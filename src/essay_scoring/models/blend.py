"""Blends: the weighted mean of what unlike scorers predict (Breiman 1996, stacked regressions)."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Columns, ColumnSource, FitReport, joined_execution
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.embeddings import is_embedding
from essay_scoring.models.card import CARD_NAME, REFIT, Card, read_card, saved_fact, saved_file
from essay_scoring.models.context import Job, ScorerContext
from essay_scoring.models.family import FamilyScorer
from essay_scoring.models.scorer_settings import BlendMember, BlendSettings, TrainingSettings


class BlendScorer(FamilyScorer[BlendSettings]):
    """Fits every part on the same essays; predicts the weighted mean of what they predict.

    `parts` are unfitted scorers of settings.members, in their order, each of its own context.
    """

    def __init__(
        self,
        settings: BlendSettings,
        training: TrainingSettings,
        context: ScorerContext,
        parts: Sequence[FamilyScorer[Any]],
    ) -> None:
        super().__init__(settings, training, context)
        self.parts = tuple(parts)

    def learn(self, train: ScoredEssays, dev: ScoredEssays) -> FitReport:
        """Fit all parts and then their weights; `curve["weights"]` holds those, in order."""
        reports = [part.fit(train, dev) for part in self.parts]
        weights = np.full(len(self.parts), 1 / len(self.parts))
        if self.settings.weights == "dev":
            weights = convex_weights(self._parts_predict(dev.essays), dev.targets)
        self.facts = {_weight(number): float(value) for number, value in enumerate(weights)}
        execution = joined_execution([report.execution for report in reports])
        return FitReport(curve={"weights": weights.tolist()}, execution=execution)

    def predict_targets(self, essays: Essays) -> FloatArray:
        """Return predictions on the training scale, shape (n,), not clipped to it."""
        weights = np.array([self.facts[_weight(i)] for i in range(len(self.parts))])
        mean: FloatArray = self._parts_predict(essays) @ weights
        return mean

    def write(self, folder: Path) -> Sequence[str]:
        """Write each part into `part-0`, ...; return the names of all their files."""
        names: list[str] = []
        for number, part in enumerate(self.parts):
            own = _folder(folder, number)
            part.save(own)
            files = (path for path in own.rglob("*") if path.is_file())
            names += sorted(path.relative_to(folder).as_posix() for path in files)
        return names

    def read(self, folder: Path, card: Card) -> None:
        """Read every part; raise InputError if it is not the one that these settings name."""
        for number, part in enumerate(self.parts):
            saved_fact(folder, card, _weight(number))
            path = saved_file(folder, card, f"{_folder(Path(), number)}/{CARD_NAME}")
            own = read_card(path.parent)
            if own.settings != part.settings:
                raise InputError("not the part that the blend names", where=str(path), mend=REFIT)
            part.restore(path.parent, own)

    def _parts_predict(self, essays: Essays) -> FloatArray:
        """Return what each part predicts on the training scale, shape (n, parts)."""
        return np.stack([part.predict_targets(essays) for part in self.parts], axis=1)


def context_of_part(context: ScorerContext, number: int, member: BlendMember) -> ScorerContext:
    """Return the context of a part: the columns it may see, and checkpoints of its own."""
    job = context.job
    work = None if job.work is None else _folder(job.work, number)
    columns = context.columns
    if member.columns != "all":
        columns = _only(columns, member.columns)
    return replace(context, columns=columns, job=Job(f"{job.name}, part {number}", work))


def convex_weights(predictions: FloatArray, targets: FloatArray) -> FloatArray:
    """Return weights (parts,), none negative, of sum 1, that err least for predictions (n, parts).

    The error is squared. Solved as non-negative least squares (Lawson and Hanson 1974) with the sum
    held to 1 by one heavy row; without a solution all weigh the same.
    """
    from scipy.optimize import nnls

    heavy = 1e4 * max(1.0, float(np.abs(predictions).max(initial=0.0))) * len(targets)
    rows = np.vstack([predictions, np.full((1, predictions.shape[1]), heavy)])
    weights, _ = nnls(rows, np.append(targets, heavy))
    total = float(weights.sum())
    even = np.full(len(weights), 1 / len(weights))
    return weights / total if total > 0 else even


def _only(source: ColumnSource, kind: str | Sequence[str]) -> ColumnSource:
    """Return a source of some columns of another; InputError where a name is of none of them."""

    def columns(essays: Essays) -> Columns:
        whole = source(essays)
        wanted = _named(whole.names, kind)
        kept = [at for at, name in enumerate(whole.names) if name in wanted]
        return Columns(tuple(whole.names[i] for i in kept), whole.values[:, kept])

    return columns


def _named(names: Sequence[str], kind: str | Sequence[str]) -> set[str]:
    """Return the names of a kind, or those that patterns name."""
    if isinstance(kind, str):
        wanted = kind == "embeddings"
        return {name for name in names if is_embedding(name) == wanted}
    matches = {pattern: fnmatch.filter(names, pattern) for pattern in kind}
    for pattern, found in matches.items():
        if not found:
            raise InputError(
                f"no column is named {pattern!r}",
                where="scorer.members, columns",
                mend="name a column that features.sets gives, * for any characters",
            )
    return {name for found in matches.values() for name in found}


def _folder(folder: Path, number: int) -> Path:
    return folder / f"part-{number}"


def _weight(number: int) -> str:
    return f"weight_{number}"
