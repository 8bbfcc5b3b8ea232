"""`report` makes pages again and seals nothing, whatever was edited and whenever it is killed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.records.manifest import require_intact
from tests.attacks.commands import PROGRAM, SMALL, refusal, run_command, the_run, words
from tests.attacks.edited import edit
from tests.studies.made import gate_file

PAGES = ("cv_report.md", "report.html")

KILLED = """
import os, signal, sys
from essay_scoring.cli.main import run
move, left = os.replace, [int(sys.argv[1])]
def moved(*arguments, **more):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    move(*arguments, **more)
os.replace = moved
run(["report", sys.argv[2]])
"""
"""Python that is killed once so many files of `report` have got their names."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Path:
    home = tmp_path_factory.mktemp("reported")
    done = run_command(words("cv", "length", home, warm_cache, SMALL))
    assert done.returncode == 0, done.stderr
    return the_run(home)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def command(name: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    return run_command([*PROGRAM, name, *map(str, folders)])


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return when each file outside the views was written, and what it holds."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and "views" not in path.parts and path.name != ".lock"
    }


def pages(folder: Path) -> list[bytes]:
    return [(folder / "views" / name).read_bytes() for name in PAGES]


def test_an_edited_page_is_made_anew_and_nothing_else_is_written(folder: Path) -> None:
    first, before = pages(folder), state(folder)
    for name in PAGES:
        (folder / "views" / name).write_text("edited", encoding="utf-8")
    (folder / "views" / "notes.txt").write_text("of a reader", encoding="utf-8")
    require_intact(folder)
    assert command("status", folder).stdout.startswith("complete")
    gate_file(folder.parent, "easy", -2.0)
    plan = folder.parent / "easy.toml"
    assert command("compare-cv-runs", folder, folder, Path("--plan"), plan).returncode == 0
    done = command("report", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(folder / "views" / name) for name in PAGES]
    assert pages(folder) == first
    assert state(folder) == before


@pytest.mark.parametrize("written", [0, 1])
def test_one_that_is_killed_half_way_leaves_a_valid_run(folder: Path, written: int) -> None:
    first, before = pages(folder), state(folder)
    shutil.rmtree(folder / "views")
    killed = run_command([sys.executable, "-c", KILLED, str(written), str(folder)])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [name for name in PAGES if (folder / "views" / name).exists()] == list(PAGES[:written])
    require_intact(folder)
    assert state(folder) == before
    assert command("report", folder).returncode == 0
    assert pages(folder) == first
    assert state(folder) == before


def test_an_edited_artifact_is_refused_and_stays_so(folder: Path) -> None:
    metrics = folder / "artifacts" / "cv_metrics.json"
    edit(metrics, lambda values: values["summary"]["overall"]["qwk"].update(estimate=0.99))
    first, before = pages(folder), state(folder)
    for _ in range(2):
        assert str(metrics) in refusal(command("report", folder))
    assert pages(folder) == first
    assert state(folder) == before


def test_edited_diagnostics_are_evidence_and_not_made_again(folder: Path) -> None:
    diagnostics = folder / "reports" / "residual_diagnostics.md"
    diagnostics.write_text("edited", encoding="utf-8")
    before = state(folder)
    assert str(diagnostics) in refusal(command("report", folder))
    assert state(folder) == before
