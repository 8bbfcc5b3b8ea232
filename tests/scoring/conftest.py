from __future__ import annotations

from pathlib import Path

import pytest

from tests.scoring.made import TWELVE, quick_config, train


@pytest.fixture(scope="session")
def length_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that counts words, trained on twelve prompts: enough for intervals at 0.8."""
    folder = tmp_path_factory.mktemp("length")
    return train(quick_config("length", *TWELVE), folder, folder / "cache")
