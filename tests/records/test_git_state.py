"""What makes a tree dirty: what could have changed a number, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from essay_scoring.records.provenance import GitState, git_state


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package's folder in a committed checkout, with what git ignores beside it."""
    folder = tmp_path / "src" / "package"
    folder.mkdir(parents=True)
    (folder / "code.py").write_text("x = 1\n")
    (tmp_path / "config.toml").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    who = ["-c", "user.name=made", "-c", "user.email=made@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "made"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        (lambda package: None, False),
        (lambda package: (package.parents[1] / "notes.txt").write_text("a thought"), False),
        (lambda package: (package.parent / "other.py").write_text("x"), False),
        (lambda package: (package / "code.pyc").write_text("x"), False),
        (lambda package: (package / "code.py").write_text("x = 2\n"), True),
        (lambda package: (package / "new.py").write_text("x = 2\n"), True),
        (lambda package: (package.parents[1] / "config.toml").write_text("x = 2\n"), True),
        (lambda package: (package.parents[1] / "config.toml").unlink(), True),
    ],
)
def test_a_tree_is_dirty_where_a_number_may_have_changed(
    package: Path, change: Callable[[Path], object], dirty: bool
) -> None:
    change(package)
    state = git_state(package)
    assert state.dirty is dirty
    assert len(state.commit or "") == 40


def test_outside_git_nothing_is_known(tmp_path: Path) -> None:
    assert git_state(tmp_path) == GitState(commit=None, dirty=None)
