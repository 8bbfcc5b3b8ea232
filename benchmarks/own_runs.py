"""Runs that benchmarks make, in the folders that the environment names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from essay_scoring.cli.options import CACHE, RUNS, workspace
from essay_scoring.cli.progress_display import progress_display
from essay_scoring.records.config import load_run_config
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import Run, open_run


def own_workspace() -> Workspace:
    """Return the folders that ESSAY_SCORING_RUNS, _CACHE and _DATA name, as the program does."""
    runs, cache = (
        Path(os.environ.get(f"ESSAY_SCORING_{name}") or default)
        for name, default in (("RUNS", RUNS), ("CACHE", CACHE))
    )
    return workspace(runs, cache, None)


def opened(config: Path, overrides: Sequence[str] = ()) -> Run:
    """Return a config's run, not yet started."""
    return open_run(load_run_config(config, overrides), own_workspace(), progress_display())


def finished(config: Path, overrides: Sequence[str], resume: str) -> RunRecord:
    """Return a config's run once it is done, without baselines; `resume` goes on with it."""
    run = opened(config, [*overrides, "baselines=[]"])
    return run_cv(run, report=write_run_reports, resume=resume)
