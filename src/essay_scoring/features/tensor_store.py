"""Tensors by name on disk: computed once, shared by processes, and verified when they are read."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from essay_scoring.core.files import try_lock, write_bytes, write_json
from essay_scoring.core.fingerprint import file_sha256, fingerprint

_POLL_SECONDS = 0.2
_SUFFIX = ".safetensors"
_log = logging.getLogger(__name__)

Compute = Callable[[str, list[str]], Mapping[str, Any]]
"""From a group and the names it lacks to their tensors."""


class TensorStore:
    """Named tensors in groups, below `root`/<hash of identity>; a group is one folder.

    `identity` is all but the names that changes a value. Files are never changed: a file's name is
    the sha256 of its bytes, and a damaged one counts as absent. Where two files hold one name,
    either is right. Tensors are those of `framework`; torch's are mapped from disk.
    """

    def __init__(
        self,
        root: Path,
        identity: Mapping[str, object],
        framework: Literal["numpy", "torch"] = "numpy",
    ) -> None:
        self.folder = root / fingerprint(identity)[:16]
        self._identity, self._framework = identity, framework
        self._known: set[Path] = set()
        self._places: dict[str, dict[str, Path]] = {}

    def missing(self, group: str, names: Iterable[str]) -> list[str]:
        """Return the names that the group did not hold when it was last looked at."""
        if group not in self._places:
            self._look(group)
        return [name for name in names if name not in self._places[group]]

    def read(self, group: str, names: Iterable[str]) -> dict[str, Any]:
        """Return tensors of a group by name; KeyError if one is not there."""
        by_path: dict[Path, list[str]] = {}
        for name in names:
            by_path.setdefault(self._places[group][name], []).append(name)
        tensors = {}
        for path, held in by_path.items():
            with self._open(path) as stream:
                tensors.update({name: stream.get_tensor(name) for name in held})
        return tensors

    def fill(
        self,
        groups: Mapping[str, Collection[str]],
        compute: Compute,
        done: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Compute and write what groups lack, each group at once; `done` hears of each in the end.

        A crash costs the group in work. Groups in another process's hands are left to it, and taken
        over should it end without them.
        """
        waiting = list(groups)
        while waiting:
            left = []
            for group in waiting:
                if self._filled(group, groups[group], compute):
                    done(group)
                else:
                    left.append(group)
            if len(left) == len(waiting):
                time.sleep(_POLL_SECONDS)
            waiting = left

    def _filled(self, group: str, names: Collection[str], compute: Compute) -> bool:
        """Compute what a group lacks; False, at once, while another process does that."""
        if not self.missing(group, names):
            return True
        folder = self.folder / group
        with try_lock(folder / ".lock") as mine:
            if not mine:
                return False
            for stray in folder.glob(f".*{_SUFFIX}"):
                stray.unlink(missing_ok=True)
            # Another process may have finished it between our look and our lock.
            self._look(group)
            if lacking := self.missing(group, names):
                self._add(group, compute(group, lacking))
        return True

    def _add(self, group: str, tensors: Mapping[str, Any]) -> None:
        """Write a file, whole or not at all."""
        if not (self.folder / "identity.json").exists():
            write_json(self.folder / "identity.json", dict(self._identity))
        data = import_module(f"safetensors.{self._framework}").save(dict(tensors))
        path = self.folder / group / f"{hashlib.sha256(data).hexdigest()}{_SUFFIX}"
        write_bytes(path, data)
        # The same tensors have the same name: it may be that of a file found damaged.
        self._known.discard(path)
        self._look(group)

    def _look(self, group: str) -> None:
        """Take note of what processes, this one too, have added to a group."""
        places = self._places.setdefault(group, {})
        # Names that begin with a dot are of files still being written.
        for path in sorted({*(self.folder / group).glob(f"[!.]*{_SUFFIX}")} - self._known):
            self._known.add(path)
            state = path.stat()
            if not _intact(path, state.st_size, state.st_mtime_ns):
                _log.warning("%s is damaged and is made again", path)
                continue
            with self._open(path) as stream:
                places.update(dict.fromkeys(stream.keys(), path))

    def _open(self, path: Path) -> Any:
        from safetensors import safe_open

        return safe_open(path, framework=self._framework)


@lru_cache(maxsize=65_536)
def _intact(path: Path, _size: int, _changed: int) -> bool:
    """Tell whether a file has the bytes of its name; read once while the file stays as it is."""
    return file_sha256(path) == path.name.removesuffix(_SUFFIX)
