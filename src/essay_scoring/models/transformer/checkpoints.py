"""Checkpoints: after every epoch, all that training needs to go on as if it had never stopped."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file
from torch import Tensor

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import atomic_path, read_json, write_json
from essay_scoring.core.fingerprint import file_sha256

log = logging.getLogger("essay_scoring")

_INDEX = "checkpoint.json"


@dataclass(frozen=True)
class Standing:
    """How far training has come: epochs done, the best of them on dev (from 1), and all losses."""

    epochs: int = 0
    best: int = 0
    curve: Mapping[str, list[float]] = field(default_factory=dict)

    def after(self, figures: Mapping[str, float]) -> Standing:
        """Return the standing after one more epoch; `figures` holds at least its loss on dev."""
        curve = {name: [*self.curve.get(name, []), value] for name, value in figures.items()}
        done, dev = self.epochs + 1, curve["dev"]
        is_best = self.best == 0 or dev[-1] < dev[self.best - 1]
        return Standing(done, done if is_best else self.best, curve)

    def is_over(self, epochs: int, patience: int) -> bool:
        """Tell whether all epochs are done, or `patience` of them since the best."""
        return self.epochs >= epochs or self.epochs - self.best >= patience


_STANDING = TypeAdapter(Standing)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A standing, the learner's state at it, and the trained state of the best epoch."""

    standing: Standing
    state: dict[str, Tensor]
    best: dict[str, Tensor]


class Checkpoints:
    """The last checkpoint of one fit, in a folder of its own; keeps nothing where that is None.

    `fingerprint` says what is trained on what: a checkpoint of anything else is left aside. The
    index is replaced last and names whole files with their hashes, so that a process killed at
    any position leaves the checkpoint before or the one after.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint
        self._best: tuple[int, dict[str, str]] | None = None

    def read(self) -> Checkpoint | None:
        """Return the last checkpoint, or None where there is none that can be gone on from."""
        if self._folder is None or not (self._folder / _INDEX).is_file():
            return None
        try:
            index = read_json(self._folder / _INDEX)
            if index["fingerprint"] != self._fingerprint:
                log.info("left a checkpoint of other settings or data aside: %s", self._folder)
                return None
            files = index["files"]
            standing = _STANDING.validate_python(index["standing"])
            state, best = (self._tensors(files[name]) for name in ("state", "best"))
        except (InputError, KeyError, TypeError, ValueError, OSError):
            log.warning("a checkpoint is damaged, so training starts afresh: %s", self._folder)
            return None
        return Checkpoint(standing, state, best)

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, and then drop the one before it."""
        if self._folder is None:
            return
        standing = checkpoint.standing
        if self._best is None or self._best[0] != standing.best:
            name = f"best-{standing.best}.safetensors"
            self._best = standing.best, self._keep(name, checkpoint.best)
        state = self._keep(f"epoch-{standing.epochs}.safetensors", checkpoint.state)
        files = {"state": state, "best": self._best[1]}
        index = {"fingerprint": self._fingerprint, "standing": asdict(standing), "files": files}
        write_json(self._folder / _INDEX, index)
        kept = {_INDEX, *(file["name"] for file in files.values())}
        for path in self._folder.iterdir():
            if path.is_file() and path.name not in kept:
                path.unlink()

    def _keep(self, name: str, tensors: dict[str, Tensor]) -> dict[str, str]:
        """Write a file; return its name and hash."""
        assert self._folder is not None
        path = self._folder / name
        with atomic_path(path) as temporary:
            save_file(tensors, temporary)
        return {"name": name, "sha256": file_sha256(path)}

    def _tensors(self, file: dict[str, Any]) -> dict[str, Tensor]:
        assert self._folder is not None
        path = self._folder / file["name"]
        if file_sha256(path) != file["sha256"]:
            raise InputError("its bytes are not those that were written", where=str(path))
        return load_file(path)
