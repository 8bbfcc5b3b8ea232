"""Who writes pages. Reports stand above experiments, so the caller brings them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.runs.cv import WriteReports


@dataclass(frozen=True)
class Reporters:
    """Who writes the pages of a run folder, and those of the folder that the runs are for."""

    run: WriteReports
    study: Callable[[Path], object]
