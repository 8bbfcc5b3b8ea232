from __future__ import annotations

from collections.abc import Iterator

import pytest

from essay_scoring.features.encoders import EncoderFolder
from tests.features.tiny_encoders import one_thread
from tests.models.transformer.architectures import ARCHITECTURES, shared_encoder


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny matrices only lose by more threads."""
    with one_thread():
        yield


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> EncoderFolder:
    """A tiny encoder of each architecture in turn."""
    return shared_encoder(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    """A tiny BERT."""
    return shared_encoder("bert", tmp_path_factory)
