"""Cross-validation: every essay predicted by a model that never saw its fold.

One loop serves every family. A job trains on all folds but some, cuts `dev` from the training
groups, and predicts the essays held out; the fit is written as one folder that appears whole and
sealed, so a killed run loses at most the fit it was in.
"""

from __future__ import annotations

import itertools
import math
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Scorer, TrainingExecution
from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.fingerprint import derive_seed, fingerprint, rows_sha256
from essay_scoring.core.memory import watch_memory
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.core.settings import Settings
from essay_scoring.core.text import text_hash
from essay_scoring.data.splits import Fold, Scheme, cut_dev, groups_of
from essay_scoring.models.context import Job
from essay_scoring.records.fits import FitRecord, has_fit, read_fit, write_fit
from essay_scoring.records.provenance import Environment


@dataclass(frozen=True, eq=False)
class Design:
    """Which essays there are and which are held out when; shared by every arm of a comparison.

    `fold_of` (n,) numbers the fold that holds each essay out; `groups` names the unit (prompt or
    text) that is never on both sides.
    """

    train: ScoredEssays
    scheme: Scheme
    fold_of: IntArray
    groups: tuple[str, ...]
    dev_share: float
    seed: int

    @classmethod
    def of(
        cls,
        train: ScoredEssays,
        folds: Sequence[Fold],
        scheme: Scheme,
        *,
        dev_share: float,
        seed: int,
    ) -> Design:
        """Return the design of a prepared corpus under one scheme."""
        number_of = {essay: fold.number for fold in folds for essay in fold.held_out_ids}
        fold_of = np.array([number_of[essay] for essay in train.essays.ids], dtype=np.int64)
        return cls(train, scheme, fold_of, tuple(groups_of(train, scheme)), dev_share, seed)

    @property
    def folds(self) -> list[int]:
        """The fold numbers, ascending."""
        return [int(fold) for fold in np.unique(self.fold_of)]

    def held_out_rows(self, folds: Sequence[int]) -> IntArray:
        """Return the rows of the essays that these folds hold out."""
        return np.flatnonzero(np.isin(self.fold_of, folds))

    def training_rows(self, folds: Sequence[int]) -> tuple[IntArray, IntArray]:
        """Return the rows to fit on and the rows of `dev` when these folds (or none) are out."""
        outside = np.flatnonzero(~np.isin(self.fold_of, folds))
        groups = [self.groups[i] for i in outside]
        parts = (self.scheme, *folds) if folds else ("final",)
        seed = derive_seed(self.seed, "dev", *parts)
        fit, dev = cut_dev(self.train.take(outside), groups, self.dev_share, seed)
        return outside[fit], outside[dev]


@dataclass(frozen=True)
class Origin:
    """What the fits of one run come from: its identity, one scorer's settings, and the machine.

    `columns_precision` is that of the encoder whose embeddings the scorer reads, None without any.
    """

    run_identity: str
    settings: Settings
    environment: Environment
    columns_precision: str | None

    def precisions(self, execution: TrainingExecution) -> tuple[str, ...]:
        """Return in which numbers networks and frozen columns were computed; else fp32."""
        columns = () if self.columns_precision is None else (self.columns_precision,)
        return tuple(dict.fromkeys((*execution.precisions, *columns))) or ("fp32",)

    def identity(self, essays: Sequence[str], folds: Sequence[int], member: int | None) -> str:
        """Return the identity of a fit on these essays that leaves these folds out."""
        return fingerprint(
            {
                "run": self.run_identity,
                "scorer": self.settings.model_dump(mode="json"),
                "essays": rows_sha256((essay,) for essay in essays),
                "folds": list(folds),
                "member": member,
            }
        )


Save = Callable[[Scorer, Path], None]
"""Writes a fitted scorer into a folder."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What one fit leaves out and predicts, and the identity of its record."""

    folds: tuple[int, ...]
    essays: Essays
    identity: str
    member: int | None = None


@dataclass(frozen=True, eq=False)
class Fitter:
    """Fits one scorer of a run, leaving out some folds at a time, each fit in a folder."""

    design: Design
    build: Callable[[Job], Scorer]
    origin: Origin

    def fit(
        self,
        folder: Path,
        folds: Sequence[int],
        *,
        member: int | None = None,
        keep_model: bool = True,
    ) -> FitRecord:
        """Return the fit that leaves out `folds`; read it from `folder` if it is there, verified.

        The fitted model is saved beside the record if `keep_model`. Checkpoints lie in a hidden
        folder beside it until the fit is done. Raises EvidenceError for a fit that was changed
        after it was sealed, or that is not the one asked for.
        """
        essays = self.design.train.essays.take(self.design.held_out_rows(folds))
        identity = self.origin.identity(self.design.train.essays.ids, folds, member)
        task = _Task(tuple(folds), essays, identity, member)
        return self._finished(folder, task, _save if keep_model else None)

    def fit_all(self, folder: Path, unseen: Essays, save: Save | None) -> FitRecord:
        """Return the fit that leaves out no fold and predicts essays outside of training.

        As `fit` otherwise; `save` writes the fitted model, None keeps none.
        """
        texts = map(text_hash, unseen.texts)
        identity = self.origin.identity((*self.design.train.essays.ids, *texts), (), None)
        return self._finished(folder, _Task((), unseen, identity), save)

    def _finished(self, folder: Path, task: _Task, save: Save | None) -> FitRecord:
        work = folder.with_name(f".{folder.name}-work")
        if has_fit(folder):
            record = read_fit(folder, task.identity)
        else:
            record = self._fit(Job(folder.name, work, task.member), task, folder, save)
        shutil.rmtree(work, ignore_errors=True)
        return record

    def _fit(self, job: Job, task: _Task, folder: Path, save: Save | None) -> FitRecord:
        started, peak_mib = time.perf_counter(), watch_memory()
        train, (fit, dev) = self.design.train, self.design.training_rows(task.folds)
        scorer = self.build(job)
        report = scorer.fit(train.take(fit), train.take(dev))
        raw = tuple(float(y) for y in scorer.predict(task.essays)) if len(task.essays) else ()
        _require_finite((*itertools.chain(*report.curve.values()), *raw), job.name)
        record = FitRecord(
            identity=task.identity,
            folds=task.folds,
            ids=task.essays.ids,
            raw=raw,
            rounds=report.rounds,
            curve=report.curve,
            n_fit=len(fit),
            n_dev=len(dev),
            seconds=round(time.perf_counter() - started, 3),
            peak_mib=peak_mib(),
            precisions=self.origin.precisions(report.execution),
            execution=report.execution,
            finite=True,
            environments=(self.origin.environment,),
        )
        write_fit(folder, record, None if save is None else partial(save, scorer))
        return record


def _save(scorer: Scorer, folder: Path) -> None:
    scorer.save(folder)


def _require_finite(values: Iterable[float], where: str) -> None:
    """Raise NotFiniteError, so that no record of the fit is made, unless all are numbers."""
    if not all(map(math.isfinite, values)):
        raise NotFiniteError("losses or predictions are not finite numbers", where=where)


def gather(design: Design, fits: Sequence[FitRecord]) -> FloatArray:
    """Return the raw out-of-fold predictions in the order of the essays, shape (n,)."""
    value_of = {essay: raw for fit in fits for essay, raw in zip(fit.ids, fit.raw, strict=True)}
    return np.array([value_of[essay] for essay in design.train.essays.ids], dtype=np.float64)
