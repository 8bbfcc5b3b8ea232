"""Whatever a file holds, a command ends in time and says in one line what is wrong with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mangled.home import make_home

LIMIT_SECONDS = 1800


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mangled") / "home"
    make_home(folder)
    return folder


def faults(home: Path, place: Path, seed: int, rounds: int) -> list[str]:
    """Return what went wrong; a process that dies is what went wrong with its last trial."""
    found, first = [], 0
    while True:
        words = ["-m", "tests.mangled.drive", str(home), str(seed), str(rounds), str(first)]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=place,
            env={
                "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
                "PATH": "/usr/bin:/bin",
                "HOME": str(home),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
        announced = re.findall(r"^trial (\d+): (.*)$", done.stdout, re.MULTILINE)
        found += re.findall(r"^trial .*\nWRONG [^\n]*(?:\n(?!trial).*)*", done.stdout, re.MULTILINE)
        if done.returncode == 0:
            return found
        assert announced, done.stderr[-3000:]
        number, what = announced[-1]
        found.append(f"{what} ended the process: {done.returncode} {done.stderr[-500:]}")
        first = int(number) + 1


def test_every_mangled_file_is_one_line(home: Path, tmp_path: Path) -> None:
    assert faults(home, tmp_path, seed=1, rounds=1) == []


@pytest.mark.slow
def test_no_file_mangled_in_more_ways_is_more_than_one_line(home: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("MANGLED_SEED", "2"))
    rounds = int(os.environ.get("MANGLED_ROUNDS", "4"))
    assert faults(home, tmp_path, seed, rounds) == [], f"seed {seed}"
