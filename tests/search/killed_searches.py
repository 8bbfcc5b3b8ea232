"""Kill a search at random moments and start it again: a process of its own, since it forks.

Usage: python -m tests.search.killed_searches FOLDER CACHE SEARCHES
Prints one JSON line: how many kills cut a search short, and every ending beside the expected one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.provenance import code_revision
from essay_scoring.records.workspace import Workspace
from tests.search.made import finished_search, small_search

# What a search imports when it needs it, imported once here: forked children then start at once.
PRELOADED = ("matplotlib.figure", "optuna", "pyarrow.parquet", "sklearn.model_selection")
KILLS_EACH = 4
TRIALS = 8


def start(space: Workspace) -> int:
    """Start the search in a forked child, which has everything imported; return its pid."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            finished_search(space, small_search(f"trials={TRIALS}"))
            code = 0
        finally:
            os._exit(code)
    return pid


def ending(space: Workspace) -> dict[str, Any]:
    """Start the search once more, let it end, and return what it did."""
    _, status = os.waitpid(start(space), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("a search that was started again failed")
    [folder] = (space.runs / "searches").glob("smoke-*")
    require_intact(folder)
    rows = read_json(folder / "artifacts" / "optuna_trials.json")["parts"]["all"]
    ended = [row for row in rows if row["slot"] is not None and row["key"] is not None]
    return {
        "trials": [[row[name] for name in ("slot", "params", "state", "key")] for row in ended],
        "selected": read_json(folder / "artifacts" / "selected_params.json"),
    }


def killed(space: Workspace, draw: random.Random, duration: float) -> int:
    """Start and kill the search several times; return how many kills cut it short."""
    cut_short = 0
    for _ in range(KILLS_EACH):
        pid = start(space)
        time.sleep(duration * draw.random() / 4)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        cut_short += not any(is_complete(path) for path in space.runs.glob("searches/smoke-*"))
    return cut_short


def main(folder: Path, cache: Path, searches: int) -> None:
    """Run a search whole, then others that are killed over and over."""
    for name in PRELOADED:
        import_module(name)
    code_revision()  # asked for once: sources edited while this runs would make another search
    began = time.monotonic()
    expected = ending(Workspace(folder / "whole", cache, folder))
    duration = time.monotonic() - began
    draw, cut_short, endings = random.Random(5), 0, []
    for number in range(searches):
        space = Workspace(folder / f"killed-{number}", cache, folder)
        cut_short += killed(space, draw, duration)
        endings.append(ending(space))
    print(  # noqa: T201 - this is how the test hears of it
        json.dumps({"expected": expected, "endings": endings, "cut_short": cut_short})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
