from __future__ import annotations

import os
from pathlib import Path

import pytest

from essay_scoring.core.progress import Progress
from essay_scoring.experiments.config import RunConfig, load_run_config
from essay_scoring.experiments.run import open_run
from essay_scoring.experiments.workspace import Workspace

# Read when torch is first imported: on a busy machine threads that spin take turns with others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).parents[1]
SMOKE = ROOT / "configs" / "smoke"


def smoke_config(family: str, *overrides: str) -> RunConfig:
    """Return a family's smoke config."""
    return load_run_config(SMOKE / f"{family}.toml", overrides)


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the smoke corpus is prepared and its columns are stored."""
    cache = tmp_path_factory.mktemp("warm") / "cache"
    space = Workspace(cache.parent / "runs", cache, cache.parent)
    run = open_run(smoke_config("ridge"), space, Progress())
    run.columns.warm(run.prepared.train.essays)
    return cache


@pytest.fixture
def space(tmp_path: Path, warm_cache: Path) -> Workspace:
    """A workspace of its own for runs, on the warm cache."""
    return Workspace(tmp_path / "runs", warm_cache, tmp_path)
