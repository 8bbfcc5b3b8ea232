"""Records and settings are built when first used: a definition that cannot be is found here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import essay_scoring
from essay_scoring.core.record import Record
from essay_scoring.core.settings import Settings


def definitions(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in of.__subclasses__():
        yield kind
        yield from definitions(kind)


@pytest.mark.parametrize("base", [Record, Settings])
def test_every_definition_can_be_built(base: type[BaseModel]) -> None:
    for module in pkgutil.walk_packages(essay_scoring.__path__, "essay_scoring."):
        if ".records." in module.name or module.name.endswith("_settings"):
            importlib.import_module(module.name)
    kinds = [kind for kind in definitions(base) if kind.__module__.startswith("essay_scoring.")]
    assert len(kinds) > 20
    for kind in kinds:
        kind.model_rebuild()
        assert kind.__pydantic_complete__, kind
