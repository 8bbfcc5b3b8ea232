"""The command line as someone outside uses it, and what such a person finds in a runs folder."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from essay_scoring.cli.main import run
from tests.conftest import ROOT, SMOKE

PROGRAM = [sys.executable, "-m", "essay_scoring.cli.main"]

SMALL = ("--set", "baselines=[]", "--set", "evaluation.replicates=100")


def words(
    command: str, config: str | Path, home: Path, cache: Path, more: Sequence[str] = ()
) -> list[str]:
    """Return a command line that works in a runs folder of its own below `home`."""
    path = SMOKE / f"{config}.toml" if isinstance(config, str) else config
    folders = ["--runs-dir", str(home / "runs"), "--cache-dir", str(cache)]
    return [*PROGRAM, command, str(path), *folders, *more]


def run_command(
    line: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Return what a command line did; fails where it takes five minutes.

    The project's own needs no process of its own, unless its environment is another.
    """
    if list(line[: len(PROGRAM)]) == PROGRAM and environment is None:
        return _done_here(line)
    return subprocess.run(
        line,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _done_here(line: Sequence[str]) -> subprocess.CompletedProcess[str]:
    out, error = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        code = run(list(line[len(PROGRAM) :]))
    return subprocess.CompletedProcess(line, code, out.getvalue(), error.getvalue())


def refusal(done: subprocess.CompletedProcess[str], code: int = 4) -> str:
    """Return the one line with which a command refused, having printed nothing else."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def the_run(home: Path, name: str = "smoke") -> Path:
    """Return the one run folder there is."""
    [folder] = (home / "runs").glob(f"{name}-*")
    return folder
