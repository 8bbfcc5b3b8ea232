"""Kill a study at random moments and take it up again: a process of its own, since it forks.

Usage: python -m tests.studies.killed_studies FOLDER CACHE KILLS
Prints one JSON line: what every ending found, which finished runs were done twice, and how many
studies a kill cut short.
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
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.workspace import Workspace
from tests.studies.made import arm, gates, run_study, silent, study_file

PRELOADED = ("statsmodels.regression.mixed_linear_model", "sklearn.model_selection", "scipy.stats")


def start(path: Path, space: Workspace) -> int:
    """Start the study in a forked child, which has everything imported; return its pid."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run_study(path, space, report=silent)
            code = 0
        finally:
            os._exit(code)
    return pid


def finish(path: Path, space: Workspace) -> dict[str, Any]:
    """Run the study to the end and return what it found."""
    _, status = os.waitpid(start(path, space), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("a study that was taken up again failed")
    [folder] = (space.runs / "studies").iterdir()
    require_intact(folder)
    study = read_json(folder / "study.json")
    return {
        "outcome": study["outcome"],
        "arms": study["arms"],
        "checks": [gate["checks"] for gate in study["gates"]],
        "registered": len(space.register.read_text(encoding="utf-8").splitlines()),
        "attempts": study["attempts"],
    }


def main(folder: Path, cache: Path, kills: int) -> None:
    """Run once to the end, then with kills; print what came of it."""
    for name in PRELOADED:
        import_module(name)
    path = study_file(
        folder,
        arm("a", gates("hard"), family="length"),
        arm("b", gates("hard", "easy"), 'runs_if = { a = ["fail"] }'),
        arm("c", gates("easy"), 'runs_if = { b = ["fail"] }'),
    )
    spaces = [Workspace(folder / f"runs-{place}", cache, folder) for place in range(kills + 2)]
    finish(path, spaces[0])  # warms the file cache, so that the next one's duration is typical
    began = time.monotonic()
    expected = finish(path, spaces[1])
    duration, draw = time.monotonic() - began, random.Random(4)
    endings, twice, cut_short = [], 0, 0
    for space in spaces[2:]:
        pid = start(path, space)
        time.sleep(duration * draw.random())
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        done = {path: path.stat().st_ino for path in space.runs.glob("*/manifest.json")}
        cut_short += not list(space.runs.glob("studies/*/manifest.json"))
        endings.append(finish(path, space))
        twice += sum(path.stat().st_ino != inode for path, inode in done.items())
    found = {"expected": expected, "endings": endings, "twice": twice, "cut_short": cut_short}
    print(json.dumps(found))  # noqa: T201 - this is how the test hears of it


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
