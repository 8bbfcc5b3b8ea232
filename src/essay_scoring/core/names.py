"""Names: those that become paths, and things by name, imported when they are needed."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Annotated, Any

from pydantic import Field

from essay_scoring.core.errors import InputError

_NAME = r"[a-z0-9][a-z0-9_.-]{0,63}"

Name = Annotated[str, Field(pattern=f"^{_NAME}$")]
"""What a user may call a run, an arm, a study, a plan or a search: part of a folder's name."""

FolderName = Annotated[str, Field(pattern=r"^[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]{0,254}$")]
"""The name of a folder as a record holds it: one step down, never up or away."""


def require_name(name: str, where: str) -> str:
    """Return a name that may become part of a path; raise InputError for any other."""
    if not re.fullmatch(_NAME, name):
        raise InputError(
            f"{name[:80]!r} cannot be the name of a folder",
            where=where,
            mend="use 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit",
        )
    return name


def resolve_name(name: str) -> Any:
    """Return what `module:name` names, importing the module."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
