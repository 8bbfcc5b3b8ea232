"""What renames a run and what does not: code, comments, pages, and installed packages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import essay_scoring
from essay_scoring.core.files import read_json
from tests.attacks.commands import SMALL, run_command, the_run, words

PACKAGE = Path(essay_scoring.__file__).parent


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Return an edit of one module of the package."""

    def edit(package: Path) -> None:
        path = package / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def appended(name: str, text: str) -> Callable[[Path], object]:
    """Return an edit that adds lines to one module."""
    return lambda package: (package / name).write_text(
        (package / name).read_text(encoding="utf-8") + text, encoding="utf-8"
    )


DOCSTRING = replaced("models/weighting.py", '"""', '"""Told anew. ')
COMMENT = appended("models/weighting.py", "\n# A thought.\n")
DESCRIPTION = replaced("records/fits.py", 'description="', 'description="in other words, ')
PAGE = appended("reports/__init__.py", "\nANOTHER = 1\n")
STATISTIC = appended("statistics/summary.py", "\nANOTHER = 1\n")
CODE = appended("models/weighting.py", "\nANOTHER = 1\n")
MARK_IN_TEXT = appended("models/weighting.py", '\nANOTHER = "a # b"\n')


def folder_after(
    tmp_path: Path, cache: Path, name: str, edit: Callable[[Path], object] | None = None
) -> str:
    """Return what a run is called by a copy of the package that was edited."""
    home = tmp_path / name
    shutil.copytree(PACKAGE, home / "src" / "essay_scoring")
    if edit is not None:
        edit(home / "src" / "essay_scoring")
    line = words("cv", "mean", home, cache, SMALL)
    done = run_command(line, {"PYTHONPATH": str(home / "src")})
    assert done.returncode == 0, done.stderr
    return the_run(home).name


def test_only_code_that_computes_renames_a_run(tmp_path: Path, warm_cache: Path) -> None:
    first = folder_after(tmp_path, warm_cache, "first")
    edits = {
        "docstring": DOCSTRING,
        "comment": COMMENT,
        "description": DESCRIPTION,
        "page": PAGE,
        "statistic": STATISTIC,
    }

    def all_of_them(package: Path) -> None:
        for edit in edits.values():
            edit(package)

    assert folder_after(tmp_path, warm_cache, "words", all_of_them) == first
    code = folder_after(tmp_path, warm_cache, "code", CODE)
    text = folder_after(tmp_path, warm_cache, "text", MARK_IN_TEXT)
    assert len({first, code, text}) == 3


OTHER_NUMPY = """
import importlib.metadata as metadata
known = metadata.version
metadata.version = lambda name: "9.9.9" if name == "numpy" else known(name)
"""


@pytest.mark.parametrize("package", ["numpy"])
def test_other_packages_are_another_run(tmp_path: Path, warm_cache: Path, package: str) -> None:
    """Folds of two installations never meet in one folder, and neither's record is overwritten."""
    line = words("cv", "mean", tmp_path, warm_cache, SMALL)
    assert run_command(line).returncode == 0
    first = the_run(tmp_path)
    before = (first / "provenance.json").read_bytes()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(OTHER_NUMPY, encoding="utf-8")
    paths = f"{tmp_path / 'site'}:{PACKAGE.parent}"
    done = run_command(line, {"PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    [second] = set((tmp_path / "runs").glob("smoke-*")) - {first}
    assert (first / "provenance.json").read_bytes() == before
    versions = [
        read_json(folder / "models/fold-0/job.json")["environments"][0]["versions"][package]
        for folder in (first, second)
    ]
    assert versions[0] != versions[1] == "9.9.9"
