"""A folder as bytes, for objects that are pickled with it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from essay_scoring.core.contracts import Scorer


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, by relative path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def files_of_scorer(scorer: Scorer) -> dict[str, bytes]:
    """Return what a fitted scorer saves, by relative path."""
    with tempfile.TemporaryDirectory() as name:
        scorer.save(Path(name))
        return files_of(Path(name))


@contextlib.contextmanager
def folder_of(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Yield a temporary folder that holds these files."""
    with tempfile.TemporaryDirectory(prefix="essay-scoring-") as name:
        for path, content in files.items():
            place = Path(name) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        yield Path(name)
