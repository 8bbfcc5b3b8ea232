"""Parts: a run cut into fits that several machines do at once, joined by `cv` when all are there.

A part is one fold of one seed of the scorer, one pair of inner folds of one seed, or one baseline.
Parts share the run folder. `cv` then finds their jobs done and computes what only the whole has.
"""

from __future__ import annotations

import itertools
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from essay_scoring.core.contracts import joined_execution
from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import try_lock, wait_lock, write_json
from essay_scoring.models.ensemble import mean_of, member_folder, write_ensemble_card
from essay_scoring.models.scorer_settings import ScorerSettings
from essay_scoring.records.fits import FitRecord, has_fit, read_fit, write_fit
from essay_scoring.records.ledger import now
from essay_scoring.records.manifest import LOCK, is_complete, require_intact
from essay_scoring.records.run_records import SessionEntry, Status
from essay_scoring.runs.cross_validation import Design
from essay_scoring.runs.mapped_predictions import inner_pairs
from essay_scoring.runs.run import BASELINES, Run
from essay_scoring.runs.session import LOOK_SECONDS, stated

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Jobs that one process does: the folds each holds out, by its folder below models/."""

    name: str
    settings: ScorerSettings
    jobs: dict[str, list[int]]
    member: int | None = None


def fold_jobs(design: Design) -> dict[str, list[int]]:
    """Return the jobs of plain cross-validation: the folds each holds out, by name."""
    return {f"fold-{fold}": [fold] for fold in design.folds}


def inner_jobs(design: Design) -> dict[str, list[int]]:
    """Return the jobs of the inner cross-validation: the folds each holds out, by name.

    A model trained without folds j and k predicts j where k is the outer fold, and k where j is.
    """
    return {f"inner-{a}-{b}": [a, b] for a, b in inner_pairs(design.folds)}


def parts_of(run: Run) -> list[Part]:
    """Return the parts of a run, always in the same order: folds, inner folds, baselines."""
    scorer, training = run.config.scorer, run.config.training
    jobs = scorer_jobs(run)
    members = range(training.ensemble) if training.ensemble > 1 else (None,)
    parts = [
        Part(_part_name(name, member), scorer, {_job_folder(name, member): folds}, member)
        for name, folds in jobs.items()
        for member in members
    ]
    for name in run.config.baselines:
        own = {f"baselines/{name}/{job}": folds for job, folds in fold_jobs(run.design).items()}
        parts.append(Part(f"baseline-{name}", BASELINES[name], own))
    return parts


def scorer_jobs(run: Run) -> dict[str, list[int]]:
    """Return the jobs of a run's scorer: the folds each holds out, by name."""
    inner = run.config.training.mapping == "qwk_cutpoints_inner"
    return fold_jobs(run.design) | (inner_jobs(run.design) if inner else {})


def missing_parts(run: Run, folder: Path) -> list[int]:
    """Return the numbers of the parts with jobs that are not done."""
    if is_complete(folder):
        return []
    return [number for number, part in enumerate(parts_of(run)) if not _is_there(part, folder)]


def run_part(run: Run, number: int, *, resume: str) -> Path:
    """Do one part of a run, unless it is done; return the run folder.

    Raises BusyError when another process does this part or the whole run, InputError for a number
    the run has no part of.
    """
    folder, parts = run.workspace.runs / run.folder_name, parts_of(run)
    if not 0 <= number < len(parts):
        raise InputError(
            f"the run has no part {number}", where="--part", mend=f"name one of 0-{len(parts) - 1}"
        )
    part = parts[number]
    with _held(folder, part) as free:
        if not free or _is_there(part, folder):
            return folder
        _say_started(folder, resume)
        if part.settings.reads_columns:
            run.columns.warm(run.prepared.train.essays)
        fitter = run.fitter(part.settings)
        for job, folds in part.jobs.items():
            fitter.fit(folder / "models" / job, folds, member=part.member)
    return folder


def join_members(run: Run, folder: Path) -> None:
    """Make ensembles of fits whose members were all fitted as parts, as if fitted in one go."""
    count = run.config.training.ensemble
    origin, essays = run.origin(run.config.scorer), run.prepared.train.essays.ids
    for name, folds in scorer_jobs(run).items():
        target = folder / "models" / name
        members = [folder / "models" / _job_folder(name, member) for member in range(count)]
        if count > 1 and not has_fit(target) and all(map(has_fit, members)):
            fits = [
                read_fit(at, origin.identity(essays, folds, member))
                for member, at in enumerate(members)
            ]
            joined = _joined(fits, origin.identity(essays, folds, None))
            write_fit(target, joined, _copying(members))


def forget_parts(folder: Path) -> None:
    """Remove what only parts need."""
    shutil.rmtree(folder / "models" / _PARTS, ignore_errors=True)


_PARTS = ".parts"


def _part_name(job: str, member: int | None) -> str:
    return job if member is None else f"{job}-seed-{member}"


def _job_folder(job: str, member: int | None) -> str:
    return job if member is None else f"{_PARTS}/{_part_name(job, member)}"


def _is_there(part: Part, folder: Path) -> bool:
    """Tell whether a part's jobs are all done; a member counts once its ensemble is."""
    models = folder / "models"
    if part.member is not None and has_fit(models / part.name.removesuffix(f"-seed-{part.member}")):
        return True
    return all(has_fit(models / job) for job in part.jobs)


@contextmanager
def _held(folder: Path, part: Part) -> Iterator[bool]:
    """Hold a part, sharing the run folder with other parts, but not with a whole run.

    Yields False, holding nothing, for a run that is finished: a sealed folder is never entered.
    """
    with try_lock(folder / LOCK, shared=True, patience=LOOK_SECONDS) as free:
        if not free:
            raise _busy("another process is doing the whole run", folder)
        if is_complete(folder):
            require_intact(folder)
            yield False
            return
        with try_lock(folder / "models" / _PARTS / f"{part.name}.lock") as mine:
            if not mine:
                raise _busy(f"another process is doing the part {part.name}", folder)
            yield True


def _busy(what: str, folder: Path) -> BusyError:
    return BusyError(what, where=str(folder), mend="wait for it")


def _say_started(folder: Path, resume: str) -> None:
    """Enter this host and the time of the first part into status.json."""
    path = folder / "status.json"
    with wait_lock(folder / "models" / _PARTS / "status.lock"):
        entry = SessionEntry(started=now(), host=platform.node())
        status = stated(folder) or Status(
            state="running",
            stage="parts",
            pid=None,
            host=entry.host,
            started=entry.started,
            sessions=[],
            resume=resume,
            heartbeat=entry.started,
        )
        known = any(each.host == entry.host for each in status.sessions)
        sessions = status.sessions if known else [*status.sessions, entry]
        told = {"sessions": sessions, "heartbeat": entry.started, "resume": resume}
        write_json(path, status.model_copy(update=told).model_dump(mode="json", exclude_unset=True))


def _joined(members: list[FitRecord], identity: str) -> FitRecord:
    """Return the fit of an ensemble from those of its members; the first has the base seed."""
    raw = mean_of([np.asarray(member.raw, dtype=np.float64) for member in members])
    peaks = [member.peak_mib for member in members if member.peak_mib is not None]
    return members[0].model_copy(
        update={
            "identity": identity,
            "raw": tuple(float(value) for value in raw),
            "seconds": round(sum(member.seconds for member in members), 3),
            "peak_mib": max(peaks, default=None),
            "finite": all(member.finite for member in members),
            "execution": joined_execution([member.execution for member in members]),
            "precisions": _distinct(member.precisions for member in members),
            "environments": _distinct(member.environments for member in members),
        }
    )


def _distinct(groups: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    """Return all values of some groups, each once, in order of first use."""
    values: list[T] = []
    for value in itertools.chain(*groups):
        if value not in values:
            values.append(value)
    return tuple(values)


def _copying(members: list[Path]) -> Callable[[Path], None]:
    """Return what makes a model folder out of those of members, which it moves."""

    def save(folder: Path) -> None:
        folder.mkdir(parents=True)
        for number, member in enumerate(members):
            # Copied, not moved: until the job has its name, its members are all there is of it.
            shutil.copytree(member / "model", member_folder(folder, number))
        write_ensemble_card(folder, len(members))

    return save
