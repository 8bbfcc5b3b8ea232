"""A study's folder: where its record lies, verified when it is read."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.records.manifest import is_complete, require_intact

STUDY = "study.json"


def verified_record(source: Path, name: str = STUDY) -> Path:
    """Return the record `name` of a folder, or `source` itself where it is a file.

    Raises EvidenceError where it lies in a finished folder of which any file was changed. A file
    that was copied out of its folder has no seal, and is taken as it is.
    """
    path = source / name if source.is_dir() else source
    if is_complete(path.parent):
        require_intact(path.parent)
    return path
