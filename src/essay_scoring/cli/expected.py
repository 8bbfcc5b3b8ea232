"""What a command's file or folder must be: told before anything else is done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from essay_scoring.records.kinds import PathKind


def expects(*wanted: PathKind) -> Callable[[Any], Any]:
    """Return the callback of an argument or option whose paths are of these kinds.

    It raises InputError for a path that is plainly of another kind, and passes all others on.
    """

    def check(value: Any) -> Any:
        from essay_scoring.records.kinds import require_kind

        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, Path):
                require_kind(path, *wanted)
        return value

    return check
