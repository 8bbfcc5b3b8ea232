from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.records.workspace import Workspace
from tests.judging.registered import Bench, finished


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a finished reference and a finished candidate, which read no columns."""
    home = tmp_path_factory.mktemp("made")
    space = Workspace(home / "runs", home / "cache", home)
    finished("length", space, 'name="reference"')
    finished("length", space, 'name="candidate"', "seed=43")
    return space


@pytest.fixture
def bench(made_runs: Workspace, tmp_path: Path) -> Bench:
    """Copies of the made runs in a runs folder of their own."""
    return Bench(made_runs, Workspace(tmp_path / "runs", made_runs.cache, tmp_path))
