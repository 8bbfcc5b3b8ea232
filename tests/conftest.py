from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import wait_lock
from essay_scoring.core.progress import Progress
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run

# Read when torch is first imported: on a busy machine threads that spin take turns with others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Children inherit that a signal is ignored, as nohup and background jobs of a script have it, but
# not that it is caught. Caught and dropped, it leaves pytest alone and ends what tests start.
for _number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

ROOT = Path(__file__).parents[1]
SMOKE = ROOT / "configs" / "smoke"
PATIENCE = 240.0
"""Seconds that a test waits for what takes a second on an idle machine."""


def await_that(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def smoke_config(family: str, *overrides: str) -> RunConfig:
    """Return a family's smoke config."""
    return load_run_config(SMOKE / f"{family}.toml", overrides)


def told_by(module: str, *arguments: str, timeout: float) -> Any:
    """Return the JSON that a module prints on its last line, run as a process of its own.

    Fails where it ends badly. What is killed or aborts there does not take pytest with it.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the smoke corpus is prepared and its columns are stored.

    One process of a parallel run makes it, the others copy what it made.
    """
    home = tmp_path_factory.getbasetemp()
    shared = (home.parent if "PYTEST_XDIST_WORKER" in os.environ else home) / "warm-once"
    cache = tmp_path_factory.mktemp("warm") / "cache"
    with wait_lock(shared / "lock"):
        if not (shared / "whole").exists():
            _warm(shared / "cache")
            (shared / "whole").touch()
    shutil.copytree(shared / "cache", cache)
    return cache


def _warm(cache: Path) -> None:
    space = Workspace(cache.parent / "runs", cache, cache.parent)
    run = open_run(smoke_config("ridge"), space, Progress())
    run.columns.warm(run.prepared.train.essays)


@pytest.fixture
def space(tmp_path: Path, warm_cache: Path) -> Workspace:
    """A workspace of its own for runs, on the warm cache."""
    return Workspace(tmp_path / "runs", warm_cache, tmp_path)
