from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from essay_scoring.core.left_out import hollow, left_out


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a package that can be imported and is not."""
    name = "a_package_to_leave_out"
    (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_package_is_not_found_inside_and_is_again_afterwards(package: str) -> None:
    with left_out(package), pytest.raises(ModuleNotFoundError, match=package):
        importlib.import_module(package)
    importlib.import_module(package)


def test_what_is_loaded_stays(package: str) -> None:
    loaded = importlib.import_module(package)
    with left_out(package):
        assert importlib.import_module(package) is loaded


def test_other_threads_find_it(package: str) -> None:
    found = []
    with left_out(package):
        other = threading.Thread(target=lambda: found.append(importlib.import_module(package)))
        other.start()
        other.join()
    assert [module.__name__ for module in found] == [package]


def test_a_hollow_module_stands_for_one_that_is_not_read(package: str) -> None:
    with hollow(package, "wanted"):
        assert importlib.import_module(package).wanted is None
    assert not hasattr(importlib.import_module(package), "wanted")


def test_a_loaded_module_is_not_made_hollow(package: str) -> None:
    loaded = importlib.import_module(package)
    with hollow(package, "wanted"):
        assert importlib.import_module(package) is loaded
    assert importlib.import_module(package) is loaded


def test_parsing_loads_no_library_that_it_does_not_need() -> None:
    code = (
        "import sys\n"
        "from essay_scoring.features.annotation import annotate\n"
        "annotate(['A text.'])\n"
        "print('torch' in sys.modules, 'spacy.cli.info' in sys.modules)\n"
        "from spacy.cli.info import info\n"
        "print(info is None)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert told.split() == ["False", "False", "False"]
