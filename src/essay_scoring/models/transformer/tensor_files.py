"""Tensors by name in files that are never changed: added to by many, read by all."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from essay_scoring.core.files import write_bytes
from essay_scoring.core.fingerprint import file_sha256

_log = logging.getLogger(__name__)
_SUFFIX = ".safetensors"


class Packs:
    """The tensors of all packs in a folder; a pack's name holds the hash of its bytes.

    A pack that is damaged counts as absent. Where two packs hold one name, either is right.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packs: set[Path] = set()
        self._where: dict[str, Path] = {}

    def refresh(self) -> None:
        """Take note of what processes, this one too, have added."""
        from safetensors import safe_open

        # Names that begin with a dot are of files still being written.
        for path in sorted({*self.folder.glob(f"[!.]*{_SUFFIX}")} - self._packs):
            self._packs.add(path)
            state = path.stat()
            if not _intact(path, state.st_size, state.st_mtime_ns):
                _log.warning("%s is damaged and is made again", path)
                continue
            with safe_open(path, framework="pt") as stream:
                self._where.update(dict.fromkeys(stream.keys(), path))

    def clear_strays(self) -> None:
        """Delete what killed processes left half written; only while no other process adds."""
        for stray in self.folder.glob(f".*{_SUFFIX}"):
            stray.unlink(missing_ok=True)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Return tensors that are there by name, mapped from disk; KeyError if one is not."""
        from safetensors import safe_open

        by_pack: dict[Path, list[str]] = {}
        for name in names:
            by_pack.setdefault(self._where[name], []).append(name)
        found = {}
        for path, mine in by_pack.items():
            with safe_open(path, framework="pt") as stream:
                found.update({name: stream.get_tensor(name) for name in mine})
        return found

    def add(self, tensors: Mapping[str, Tensor]) -> None:
        """Write a pack, whole or not at all."""
        from safetensors.torch import save

        data = save(dict(tensors))
        path = self.folder / f"{hashlib.sha256(data).hexdigest()}{_SUFFIX}"
        write_bytes(path, data)
        # The same tensors have the same name: it may be that of a pack found damaged.
        self._packs.discard(path)
        self.refresh()


@lru_cache(maxsize=65_536)
def _intact(path: Path, _size: int, _changed: int) -> bool:
    """Tell whether a pack has the bytes of its name; read once while the file stays as it is."""
    return file_sha256(path) == path.name.removesuffix(_SUFFIX)
