"""Things by name: `module:name`, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def resolve_name(name: str) -> Any:
    """Return what `module:name` names, importing the module."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
