"""manifest.json, the seal of a folder: its presence means finished, its checksums mean untouched.

Runs, studies, searches, models and every fit inside them are sealed alike. The seal covers evidence
and never views: pages under views/ can be made again at any time. It guards against edits; whoever
rewrites a file, its checksum and all that names that checksum leaves no trace.
"""

from __future__ import annotations

from pathlib import Path

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import file_sha256

MANIFEST = "manifest.json"
LOCK = ".lock"
VIEWS = "views"
"""The folder of pages inside a run, study or search folder: no evidence, and so not sealed."""


def is_complete(folder: Path) -> bool:
    """Tell whether a run or study folder was finished."""
    return (folder / MANIFEST).is_file()


def write_manifest(folder: Path) -> None:
    """Record the sha256 of every file of a finished folder; the folder is complete from then on."""
    files = {str(path.relative_to(folder)): file_sha256(path) for path in _files(folder)}
    write_json(folder / MANIFEST, {"schema": 1, "files": files})


def require_intact(folder: Path) -> Path:
    """Return a complete folder, every file as it was written; raise EvidenceError for another."""
    if not is_complete(folder):
        raise EvidenceError(
            "the run is not complete (no manifest.json)",
            where=str(folder),
            mend="finish it with the command in its status.json",
        )
    recorded = _recorded(folder)
    present = {str(path.relative_to(folder)): path for path in _files(folder)}
    if odd := sorted(recorded.keys() ^ present.keys()):
        raise EvidenceError(
            f"{len(odd)} file(s) added or removed since the run ended, first {odd[0]}",
            where=str(folder),
            mend="restore the folder or run again",
        )
    for name, path in sorted(present.items()):
        if file_sha256(path) != recorded[name]:
            raise EvidenceError(
                "changed since the run ended (checksum differs)",
                where=str(path),
                mend="restore the file or run again",
            )
    return folder


def require_outside(folder: Path, path: Path) -> None:
    """Raise InputError for a path inside a finished folder: its manifest covers all files there."""
    if path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            "lies inside the finished run, which nothing is added to",
            where=str(path),
            mend="write somewhere else",
        )


def _recorded(folder: Path) -> dict[str, str]:
    """Return the checksums of a manifest; raise EvidenceError for one that holds none."""
    try:
        return dict(read_json(folder / MANIFEST)["files"])
    except (InputError, KeyError, TypeError, ValueError):
        raise EvidenceError(
            f"{MANIFEST} is not as it was written",
            where=str(folder),
            mend="restore the folder or run again",
        ) from None


def _files(folder: Path) -> list[Path]:
    """Return the files that a manifest covers: all but itself, the lock and the views."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    views = folder / VIEWS
    return [
        path
        for path in paths
        if path not in (folder / MANIFEST, folder / LOCK) and views not in path.parents
    ]
