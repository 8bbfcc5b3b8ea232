"""A study run from Python, or from the command line: arms, gates, and its decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from essay_scoring.api.loading import LoadedStudy, load_study
from essay_scoring.core.progress import Listener, Progress
from essay_scoring.data.corpora import data_folder
from essay_scoring.judging.study import Outside, StudyRunner
from essay_scoring.judging.study_plan import Study
from essay_scoring.judging.study_plan import load_study as load_study_file
from essay_scoring.records.kinds import require_kind
from essay_scoring.records.search_settings import Search
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.reports.search_report import write_search_reports
from essay_scoring.reports.study_reports import write_study_reports
from essay_scoring.runs.reporters import Reporters
from essay_scoring.search.runner import run_search
from essay_scoring.search.search_workers import Team

_log = logging.getLogger(__name__)


def run_study(
    file: str | Path,
    *,
    runs: str | Path = "runs",
    cache: str | Path = "cache",
    data: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: Listener | None = None,
) -> LoadedStudy:
    """Run what is missing of a study, as `essay-scoring study` does, and return its decision.

    `overrides` are `a.b=value`, laid over every arm that has the setting; `progress` is called with
    each ProgressEvent. Raises InputError for a study that cannot be run, EvidenceError where a
    finished one was changed.
    """
    heard = Progress() if progress is None else Progress(progress)
    require_kind(Path(file), "study")
    study = load_study_file(Path(file), tuple(overrides))
    found = data_folder(study.corpus, Path(file).parent) if data is None else Path(data)
    space = Workspace(Path(runs), Path(cache), found)
    again = f"run_study({str(file)!r})"
    return load_study(conduct_study(study, space, heard, say=_log.info, resume=again))


def conduct_study(
    study: Study, space: Workspace, progress: Progress, *, say: Callable[[str], None], resume: str
) -> Path:
    """Return the complete folder of a study, with its pages; `say` hears what plans can tell."""
    return study_runner(study, space, progress, say=say, resume=resume).run()


def study_runner(
    study: Study, space: Workspace, progress: Progress, *, say: Callable[[str], None], resume: str
) -> StudyRunner:
    """Return what runs a study, or steps of it, with its pages and its search."""
    searching = Reporters(write_run_reports, write_search_reports)

    def tune(search: Search) -> Path:
        return run_search(search, space, progress, team=Team(), reporters=searching, resume=resume)

    outside = Outside(write_run_reports, write_study_reports, say, tune)
    return StudyRunner(study, space, progress, outside=outside, resume=resume)
