"""`cv`: one configuration, cross-validated, as a run folder that explains itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from essay_scoring.core.files import write_json
from essay_scoring.core.record import write_record
from essay_scoring.models.scorer_settings import ScorerSettings
from essay_scoring.records.config import Baseline, config_values
from essay_scoring.records.finished_run import RunRecord, read_run, write_run
from essay_scoring.records.fits import FitRecord
from essay_scoring.runs.artifacts import ScorerResult, record_of, write_coverage
from essay_scoring.runs.cross_validation import gather
from essay_scoring.runs.mapped_predictions import map_run, plain_mapping
from essay_scoring.runs.parts import fold_jobs, forget_parts, inner_jobs, join_members
from essay_scoring.runs.run import BASELINES, Run, provenance_of
from essay_scoring.runs.session import Session, finish

WriteReports = Callable[[RunRecord], object]
"""Writes the pages of a run. Reports stand above experiments, so the caller brings them."""


def run_cv(run: Run, *, report: WriteReports, resume: str) -> RunRecord:
    """Return a run, finished and sealed, doing only what is not done yet.

    `resume` is the command that would continue the run; it is shown where the run is interrupted.
    Raises BusyError when another process is doing the same run, EvidenceError for a finished one
    that was changed since.
    """
    folder = run.workspace.runs / run.folder_name

    def work(session: Session) -> RunRecord:
        session.remember(run.workspace.data)
        write_start(run, folder)
        session.plan(_steps(run))
        if run.needs_columns:
            session.stage("features")
            run.columns.warm(run.prepared.train.essays)
        scored, baselines = _cross_validate(run, folder, session)
        session.stage("artifacts")
        record = record_of(run, folder, scored, baselines)
        session.wrote(*write_run(record), *write_coverage(run, folder))
        session.stage("reports")
        report(record)
        return record

    done = finish(folder, resume, run.progress, work, read=read_run)
    return done if done.manifest_sha256 else done.sealed()


def _steps(run: Run) -> int:
    """Return how many stages the work on a run names: features, fits, artifacts, reports."""
    inner = run.config.training.mapping == "qwk_cutpoints_inner"
    return run.needs_columns + 1 + inner + len(run.config.baselines) + 2


def write_start(run: Run, folder: Path) -> None:
    """Write what a run is and comes from, unless an earlier session did."""
    for name, write in _START.items():
        if not (folder / name).is_file():
            write(run, folder / name)


_START: dict[str, Callable[[Run, Path], None]] = {
    "config.json": lambda run, path: write_json(path, config_values(run.config)),
    "provenance.json": lambda run, path: write_record(path, provenance_of(run)),
}


def _cross_validate(
    run: Run, folder: Path, session: Session
) -> tuple[ScorerResult, dict[Baseline, ScorerResult]]:
    """Return the mapped out-of-fold predictions of the run's scorer and of its baselines."""
    design, models, mapping = run.design, folder / "models", run.config.training.mapping
    single = fold_jobs(design)
    join_members(run, folder)
    session.stage("cross-validation")
    fits = _fits(run, run.config.scorer, single, models, session)
    inner: list[FitRecord] = []
    if mapping == "qwk_cutpoints_inner":
        session.stage("inner cross-validation")
        inner = _fits(run, run.config.scorer, inner_jobs(design), models, session)
    scored = ScorerResult(map_run(mapping, design, gather(design, fits), inner), fits)
    baselines: dict[Baseline, ScorerResult] = {}
    for name in run.config.baselines:
        session.stage(f"baseline {name}")
        fits = _fits(run, BASELINES[name], single, models / "baselines" / name, session)
        mapped = map_run(plain_mapping(mapping), design, gather(design, fits), [])
        baselines[name] = ScorerResult(mapped, fits)
    forget_parts(folder)
    return scored, baselines


def _fits(
    run: Run,
    settings: ScorerSettings,
    parts: Mapping[str, Sequence[int]],
    folder: Path,
    session: Session,
) -> list[FitRecord]:
    """Return the fit that leaves out each part's folds, doing those that are not there yet."""
    fits, fitter = [], run.fitter(settings)
    with session.progress.stage(session.doing, len(parts), "fits") as advance:
        for name, folds in parts.items():
            fits.append(fitter.fit(folder / name, folds))
            session.wrote(folder / name)
            advance(1)
    return fits
