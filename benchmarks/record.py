"""Where a benchmark's runs lie, and what it measured, told to `run_all.py` if that started it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from essay_scoring.cli.options import CACHE, RUNS, workspace
from essay_scoring.records.workspace import Workspace

VARIABLE = "ESSAY_SCORING_BENCHMARK_FIGURES"
"""Names the file that figures are added to, a line of JSON each."""


def record(what: str, **figures: float | int | str) -> None:
    """Add one measurement to the file that the environment names, if it names one."""
    path = os.environ.get(VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"what": what, **figures}) + "\n")


def own_workspace() -> Workspace:
    """Return the folders that ESSAY_SCORING_RUNS, _CACHE and _DATA name, as the program does."""
    runs, cache = (
        Path(os.environ.get(f"ESSAY_SCORING_{name}") or default)
        for name, default in (("RUNS", RUNS), ("CACHE", CACHE))
    )
    return workspace(runs, cache, None)
