"""Kill a run at random moments and resume it: a process of its own, since it forks.

Usage: python -m tests.runs.killed_runs FOLDER CACHE KILLS FAMILY [OVERRIDE ...]
Prints one JSON line: the bytes' hashes of every ending, and what was done twice.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import shutil
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.records.config import RunConfig
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.provenance import code_revision
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.charts import drawn
from essay_scoring.reports.html import environment
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config

# What a run imports when it needs it, imported once here: forked children then start at once.
PRELOADED = ("matplotlib.figure", "pyarrow.parquet", "sklearn.model_selection")
FAMILY_PRELOADED = {
    "xgboost": ("xgboost",),
    "transformer": ("peft", "transformers", "essay_scoring.models.transformer.training_loop"),
}
LONGEST = 240.0
"""Seconds after which a child tells where it is and ends: it hangs."""
RESULTS = ("artifacts/residuals_cv_val_oof.csv", "artifacts/residuals_cv_val_oof.jsonl")


def preload(family: str) -> None:
    """Import and draw what every run would, once for all children.

    Nothing here may compute with torch: of its threads a forked child has none, and it would wait
    for them for ever.
    """
    for name in (*PRELOADED, *FAMILY_PRELOADED[family]):
        import_module(name)
    drawn(lambda axes: axes.plot([0.0, 1.0], [0.0, 1.0], label="a"), "none", "none")
    environment().get_template("report.html.jinja")
    code_revision()  # asked for once: sources edited while this runs would make other runs


def start(space: Workspace, config: RunConfig) -> int:
    """Start the run in a forked child, which has everything imported; return its pid."""
    pid = os.fork()
    if pid == 0:
        code = 1
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        try:
            run_cv(open_run(config, space, Progress()), report=write_run_reports, resume="again")
            code = 0
        finally:
            os._exit(code)
    return pid


def finish(space: Workspace, config: RunConfig) -> Path:
    """Run to the end and return the folder."""
    _, status = os.waitpid(start(space, config), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("a resumed run failed")
    [folder] = [path for path in space.runs.iterdir() if path.is_dir()]
    require_intact(folder)
    return folder


def kill_and_resume(
    space: Workspace, config: RunConfig, after: float
) -> tuple[list[str], int, bool]:
    """Return the results' hashes, how many finished jobs were redone, and whether the kill came."""
    pid = start(space, config)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    jobs = space.runs.rglob("models/**/job.json")
    done = {path: path.stat().st_ino for path in jobs if not path.parent.name.startswith(".")}
    cut_short = not any(is_complete(path) for path in space.runs.glob("*"))
    folder = finish(space, config)
    redone = sum(path.stat().st_ino != inode for path, inode in done.items())
    return hashes(folder), redone, cut_short


def hashes(folder: Path) -> list[str]:
    """Return the sha256 of each result file."""
    return [file_sha256(folder / name) for name in RESULTS]


def main(folder: Path, cache: Path, kills: int, config: RunConfig) -> None:
    """Run once uninterrupted, then until `kills` kills cut a run short; print what came of it."""
    preload(config.scorer.family)
    whole = Workspace(folder / "whole", cache, folder)
    finish(whole, config)  # warms the file cache, so that the next one's duration is typical
    shutil.rmtree(whole.runs)
    began = time.monotonic()
    expected = hashes(finish(whole, config))
    duration = time.monotonic() - began
    draw = random.Random(20)
    endings, redone, cut_short = [], 0, 0
    # A kill that comes after the end tests nothing and does not count.
    for attempt in range(3 * kills):
        if cut_short == kills:
            break
        space = Workspace(folder / f"killed-{attempt}", cache, folder)
        result, again, was_cut = kill_and_resume(space, config, duration * draw.random())
        endings.append(result)
        redone += again
        cut_short += was_cut
        shutil.rmtree(space.runs, ignore_errors=True)
    print(  # noqa: T201 - this is how the test hears of it
        json.dumps(
            {"expected": expected, "endings": endings, "redone": redone, "cut_short": cut_short}
        )
    )


if __name__ == "__main__":
    chosen = smoke_config(sys.argv[4], "evaluation.replicates=100", *sys.argv[5:])
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), chosen)
