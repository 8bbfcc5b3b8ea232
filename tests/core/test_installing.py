"""The line that installs an extra works from where the program runs."""

from __future__ import annotations

import ast
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from essay_scoring.core import installing
from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.installing import install_line
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(PROJECT["optional-dependencies"])


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of Python's with a pip of its own, which a shell finds."""
    programs = tmp_path / "an env" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setenv("PATH", str(programs))
    return programs


def installed(monkeypatch: pytest.MonkeyPatch, *extras: str) -> None:
    monkeypatch.setattr(installing, "_provided", lambda: list(extras))


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_installed_program_is_named_by_its_name(
    environment: Path, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    installed(monkeypatch, *EXTRAS)
    assert install_line(extra) == f"pip install 'essay-scoring[{extra}]'"


def test_another_environments_pip_is_not_used(
    environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, "excel")
    for path in (str(tmp_path / "elsewhere"), ""):
        monkeypatch.setenv("PATH", path)
        words = shlex.split(install_line("excel"))
        assert words == [sys.executable, "-m", "pip", "install", "essay-scoring[excel]"]


def test_a_checkout_that_is_not_installed_is_named_by_its_folder(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    words = shlex.split(install_line("search", "boosted"))
    assert words == ["pip", "install", "-e", f"{ROOT}[search,boosted]"]
    monkeypatch.setattr(installing, "_CHECKOUT", environment)
    assert install_line("search") == "pip install 'essay-scoring[search]'"


def test_what_is_installed_says_which_extras_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {*installing._provided()} <= {*EXTRAS}
    monkeypatch.setattr(metadata, "distributions", lambda name: iter(()))
    assert installing._provided() == []


def test_what_a_build_left_beside_the_sources_is_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def described(folder: Path) -> Path:
        info = folder / "essay_scoring.egg-info"
        info.mkdir(parents=True)
        text = "Metadata-Version: 2.1\nName: essay-scoring\nProvides-Extra: excel\n"
        (info / "PKG-INFO").write_text(text)
        return folder

    sources, site = described(tmp_path / "src"), described(tmp_path / "site")
    monkeypatch.setattr(installing, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "path", [str(sources)])
    assert installing._provided() == []
    monkeypatch.setattr(sys, "path", [str(sources), str(site)])
    assert installing._provided() == ["excel"]


def test_every_missing_package_names_an_extra_that_has_it() -> None:
    named = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "MissingExtraError":
                named |= {arg.value for arg in node.args[1:] if isinstance(arg, ast.Constant)}
    assert named <= {*EXTRAS}
    assert named == {*EXTRAS} - {"dev"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_error_is_one_line_and_what_is_written_down_names_no_path(
    environment: Path, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    monkeypatch.setenv("PATH", "")
    error = MissingExtraError("no_such_package", extra)
    assert error.line().endswith(install_line(extra))
    assert str(environment) in error.line()
    assert error.anywhere == (
        f"the package 'no_such_package' is not installed. To mend: "
        f"pip install 'essay-scoring[{extra}]'"
    )


def test_the_lock_pins_what_extras_pin() -> None:
    lines = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8").splitlines()[1:]
    lock = {line.lower().replace("_", "-") for line in lines}
    assert lines == sorted(lines, key=str.lower)
    extras = PROJECT["optional-dependencies"]
    pins = {extra: {pin.lower() for pin in pins} for extra, pins in extras.items()}
    assert [extra for extra in EXTRAS if not pins[extra] <= lock] == ["tensorboard", "tracking"]
