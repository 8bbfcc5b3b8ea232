"""What trackers are told of each fold of a finished run: curves, and what the fold came to."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.record import read_record
from essay_scoring.records.run_records import CvMetrics, FitRow, Status
from essay_scoring.statistics.slices import FoldRow

_LOSSES = ("train", "dev")


@dataclass(frozen=True)
class Scalar:
    """A number under a name; `step` counts rounds or epochs from 1, 0 where there are none."""

    name: str
    step: int
    value: float


@dataclass(frozen=True)
class FoldScalars:
    """A fold's number, and all scalars that a run folder records of it."""

    fold: int
    scalars: tuple[Scalar, ...]

    @property
    def name(self) -> str:
        """What the fold is called."""
        return f"fold-{self.fold}"


def folds_of(metrics: CvMetrics) -> list[FoldScalars]:
    """Return the scalars of each fold of a run's cv_metrics.json, in order.

    They are `loss/train` and `loss/dev` of each round or epoch, `training/...` what a fit records
    beside them, and, at the round that was kept, `held_out/...` and `fit/...`.
    """
    fits = {fit.fold: fit for fit in metrics.fits}
    names = tuple(metrics.summary.mean_over_folds)
    return [
        FoldScalars(row.fold, tuple(_scalars(row, names, fits.get(row.fold))))
        for row in metrics.summary.folds
    ]


def run_times(run: Path) -> tuple[float, float]:
    """Return when a finished run was first entered and when it ended, in seconds since 1970."""
    status = read_record(Status, run / "status.json")
    try:
        first, last = (
            datetime.datetime.fromisoformat(time).timestamp()
            for time in (status.sessions[0].started, str(status.finished))
        )
    except (IndexError, ValueError):
        raise InputError(
            "does not say when the run was started and finished",
            where=str(run / "status.json"),
            mend="restore the folder or run again",
        ) from None
    return first, last


def _scalars(row: FoldRow, names: tuple[str, ...], fit: FitRow | None) -> Iterator[Scalar]:
    for name, values in (fit.curve if fit else {}).items():
        place = "loss" if name in _LOSSES else "training"
        for step, value in enumerate(values, start=1):
            yield Scalar(f"{place}/{name}", step, value)
    kept = (fit.rounds if fit else None) or 0
    told = {f"held_out/{name}": getattr(row, name) for name in ("n", *names)}
    costs = ("rounds", "n_fit", "n_dev", "seconds", "peak_mib")
    told |= {f"fit/{name}": getattr(fit, name, None) for name in costs}
    yield from (Scalar(name, kept, value) for name, value in told.items() if value is not None)
