from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.features.tiny_encoders import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny matrices only lose by more threads."""
    with one_thread():
        yield
