"""How often a study reads what it works on: data and runs pass through it as records."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.data.prepared import load_prepared
from essay_scoring.records.residuals import read_residuals
from tests.attacks.edited import Shell
from tests.studies.made import arm, gates, study_file


class Reads:
    """Counts the calls of the functions that read, by path, wherever they were imported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data: Counter[Path] = Counter()
        self.residuals: Counter[Path] = Counter()
        for function, counts in ((load_prepared, self.data), (read_residuals, self.residuals)):
            counted = self._counted(function, counts)
            for name, module in list(sys.modules.items()):
                if name.startswith("essay_scoring.") and hasattr(module, function.__name__):
                    monkeypatch.setattr(module, function.__name__, counted)

    @staticmethod
    def _counted(function: Callable[..., Any], counts: Counter[Path]) -> Callable[..., Any]:
        def counted(path: Path, *others: Any) -> Any:
            counts[path] += 1
            return function(path, *others)

        return counted


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of three runs and one gate."""
    beside = arm("beside", family="ridge", kind="context")
    return study_file(tmp_path, arm("a", gates("hard")), beside)


def test_a_study_loads_its_data_once_and_reads_no_run_that_it_made(
    study: Path, tmp_path: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, reads = Shell(tmp_path, warm_cache), Reads(monkeypatch)
    assert shell.study(study) == 3
    assert len(list(shell.runs.glob("*/manifest.json"))) == 3
    assert list(reads.data.values()) == [1]
    assert reads.residuals == {}


def test_a_study_of_finished_runs_reads_each_of_them_once(
    study: Path, tmp_path: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, warm_cache)
    assert shell.study(study) == 3
    [made] = shell.runs.glob("studies/*")
    first = (made / "decision.md").read_bytes()
    shutil.rmtree(made)
    again = Reads(monkeypatch)
    assert shell.study(study) == 3
    assert list(again.data.values()) == [1]
    assert sorted(again.residuals.values()) == [1, 1, 1]
    assert {path.parent.parent.parent for path in again.residuals} == {shell.runs}
    assert (made / "decision.md").read_bytes() == first
    finished = Reads(monkeypatch)
    assert shell.study(study) == 3
    assert list(finished.data.values()) == [1]
    assert finished.residuals == {}
