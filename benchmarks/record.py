"""What a benchmark measured, told to `run_all.py` when that is who started it."""

from __future__ import annotations

import json
import os
from pathlib import Path

VARIABLE = "ESSAY_SCORING_BENCHMARK_FIGURES"
"""Names the file that figures are added to, a line of JSON each."""


def record(what: str, **figures: float | int | str) -> None:
    """Add one measurement to the file that the environment names, if it names one."""
    path = os.environ.get(VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"what": what, **figures}) + "\n")
