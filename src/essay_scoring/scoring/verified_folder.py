"""A model folder is trusted only as it was written: nothing edited, added, linked or executable."""

from __future__ import annotations

import stat
from pathlib import Path

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.records.manifest import LOCK, require_intact

_SAFE = frozenset({".json", ".safetensors", ".cbm", ".skops", ".log"})
"""Endings of formats that execute nothing; of a .skops only types that a family names are read."""
_MEND = "restore the folder from where it came, or train the model again"


def require_safe(folder: Path) -> None:
    """Raise InputError, in one line, unless a model folder is whole and can be loaded safely.

    Only plain files of formats that cannot execute code may be there, every one of them listed in
    manifest.json with the sha256 it still has. Nothing of the folder is read but to hash it.
    """
    if not folder.is_dir():
        raise InputError("no such model folder", where=str(folder), mend="check the path")
    for path in sorted(folder.rglob("*")):
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            continue
        if not stat.S_ISREG(kind):
            what = "a symbolic link" if stat.S_ISLNK(kind) else "not a plain file"
            raise InputError(f"{what}, which no model folder holds", where=str(path), mend=_MEND)
        if path.suffix not in _SAFE and path != folder / LOCK:
            raise InputError(
                f"files of the type '{path.suffix}' are no part of a model, and could run code",
                where=str(path),
                mend=_MEND,
            )
    try:
        require_intact(folder)
    except EvidenceError as error:
        raise InputError(
            error.what.replace("the run", "training"), where=error.where, mend=_MEND
        ) from None
