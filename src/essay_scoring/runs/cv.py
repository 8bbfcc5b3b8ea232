"""`cv`: one configuration, cross-validated, as a run folder that explains itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from essay_scoring.core.contracts import Scorer
from essay_scoring.core.files import write_json
from essay_scoring.core.progress import Progress
from essay_scoring.models.context import Job
from essay_scoring.records.config import Baseline, RunConfig, config_values
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.artifacts import Scored, write_artifacts
from essay_scoring.runs.cross_validation import Design, JobResult, gather, run_job
from essay_scoring.runs.mapped_predictions import map_run, plain_mapping
from essay_scoring.runs.parts import fold_jobs, forget_parts, inner_jobs, join_members
from essay_scoring.runs.run import BASELINES, Run, open_run, provenance_of
from essay_scoring.runs.session import Session, session

WriteReports = Callable[[Path], object]
"""Writes the pages of a run folder. Reports stand above experiments, so the caller brings them."""


def run_cv(
    config: RunConfig,
    workspace: Workspace,
    progress: Progress,
    *,
    report: WriteReports,
    resume: str,
) -> Path:
    """Return the complete run folder of a config, doing only what is not done yet.

    `resume` is the command that would continue the run; it is shown where the run is interrupted.
    Raises BusyError when another process is doing the same run.
    """
    run = open_run(config, workspace, progress)
    folder = workspace.runs / run.folder_name
    if is_complete(folder):
        return folder
    with session(folder, resume, progress) as opened:
        write_json(folder / "config.json", config_values(config))
        write_json(folder / "provenance.json", provenance_of(run))
        if run.needs_columns:
            opened.stage("features")
            run.columns.warm(run.prepared.train.essays)
        scored, baselines = _cross_validate(run, folder, opened)
        opened.stage("artifacts")
        write_artifacts(run, folder, scored, baselines)
        opened.stage("reports")
        report(folder)
    return folder


def _cross_validate(
    run: Run, folder: Path, opened: Session
) -> tuple[Scored, dict[Baseline, Scored]]:
    """Return the mapped out-of-fold predictions of the run's scorer and of its baselines."""
    design, models = run.design, folder / "models"
    build, mapping = partial(run.build, run.config.scorer), run.config.training.mapping
    single = fold_jobs(design)
    join_members(run, folder)
    opened.stage("cross-validation")
    with opened.progress.stage(folder.name, len(single), "folds") as advance:
        jobs = _jobs(design, single, build, models, advance)
    inner: list[JobResult] = []
    if mapping == "qwk_cutpoints_inner":
        pairs = inner_jobs(design)
        opened.stage("inner cross-validation")
        with opened.progress.stage("inner folds", len(pairs), "fits") as advance:
            inner = _jobs(design, pairs, build, models, advance)
    scored = Scored(map_run(mapping, design, gather(design, jobs), inner), jobs)
    baselines: dict[Baseline, Scored] = {}
    for name in run.config.baselines:
        opened.stage(f"baseline {name}")
        build = partial(run.build, BASELINES[name])
        with opened.progress.stage(f"baseline {name}", len(single), "folds") as advance:
            own = _jobs(design, single, build, models / "baselines" / name, advance)
        mapped = map_run(plain_mapping(mapping), design, gather(design, own), [])
        baselines[name] = Scored(mapped, own)
    forget_parts(folder)
    return scored, baselines


def _jobs(
    design: Design,
    parts: Mapping[str, Sequence[int]],
    build: Callable[[Job], Scorer],
    folder: Path,
    advance: Callable[[int], None],
) -> list[JobResult]:
    """Return the result of leaving out each part's folds, doing those that are not there yet."""
    results = []
    for name, folds in parts.items():
        results.append(run_job(design, folds, build, folder / name))
        advance(1)
    return results
