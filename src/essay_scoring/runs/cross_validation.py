"""Cross-validation: every essay predicted by a model that never saw its fold.

One loop serves every family. A job trains on all folds but some, cuts `dev` from the training
groups, and predicts the essays held out; its result is written as one folder that appears whole,
so a killed run loses at most the job it was in.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Scorer
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.memory import watch_memory
from essay_scoring.core.scale import FloatArray, IntArray
from essay_scoring.data.splits import Fold, Scheme, cut_dev, groups_of
from essay_scoring.models.context import Job


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
        """Return the rows to fit on and the rows of `dev` when these folds are held out."""
        outside = np.flatnonzero(~np.isin(self.fold_of, folds))
        groups = [self.groups[i] for i in outside]
        seed = derive_seed(self.seed, "dev", self.scheme, *folds)
        fit, dev = cut_dev(self.train.take(outside), groups, self.dev_share, seed)
        return outside[fit], outside[dev]


@dataclass(frozen=True)
class JobResult:
    """Raw predictions, own scale, of the essays that one job held out, and how its fit went."""

    folds: tuple[int, ...]
    ids: tuple[str, ...]
    raw: tuple[float, ...]
    rounds: int | None
    curve: dict[str, list[float]]
    n_fit: int
    n_dev: int
    seconds: float
    peak_mib: float | None = None


def run_job(
    design: Design,
    folds: Sequence[int],
    build: Callable[[Job], Scorer],
    folder: Path,
    *,
    keep_model: bool = True,
) -> JobResult:
    """Return the result of training without `folds`; read it from `folder` if it lies there.

    The fitted model is saved beside the result, in `folder`/model, if `keep_model`. Checkpoints lie
    in a hidden folder beside it until the job is done.
    """
    work = folder.with_name(f".{folder.name}-work")
    if is_done(folder):
        shutil.rmtree(work, ignore_errors=True)
        return read_job(folder)
    started, peak_mib = time.perf_counter(), watch_memory()
    held_out = design.held_out_rows(folds)
    fit, dev = design.training_rows(folds)
    scorer = build(Job(folder.name, work))
    report = scorer.fit(design.train.take(fit), design.train.take(dev))
    essays = design.train.essays.take(held_out)
    raw = scorer.predict(essays)
    result = JobResult(
        folds=tuple(folds),
        ids=essays.ids,
        raw=tuple(float(value) for value in raw),
        rounds=report.rounds,
        curve=report.curve,
        n_fit=len(fit),
        n_dev=len(dev),
        seconds=round(time.perf_counter() - started, 3),
        peak_mib=peak_mib(),
    )
    write_job(folder, result, scorer.save if keep_model else None)
    shutil.rmtree(work, ignore_errors=True)
    return result


def gather(design: Design, results: Sequence[JobResult]) -> FloatArray:
    """Return the raw out-of-fold predictions in the order of the essays, shape (n,)."""
    value_of = {
        essay: raw for result in results for essay, raw in zip(result.ids, result.raw, strict=True)
    }
    return np.array([value_of[essay] for essay in design.train.essays.ids], dtype=np.float64)


def write_job(folder: Path, result: JobResult, save: Callable[[Path], None] | None) -> None:
    """Write the model, if any, and the result into a hidden folder, then give it its name."""
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    if save is not None:
        save(unfinished / "model")
    write_json(unfinished / "job.json", asdict(result))
    unfinished.rename(folder)


def is_done(folder: Path) -> bool:
    """Tell whether a job was finished."""
    return (folder / "job.json").is_file()


def read_job(folder: Path) -> JobResult:
    """Return the result of a finished job."""
    values: dict[str, Any] = read_json(folder / "job.json")
    for name in ("folds", "ids", "raw"):
        values[name] = tuple(values[name])
    return JobResult(**values)
