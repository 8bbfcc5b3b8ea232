"""Commands on finished work whose files were edited by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from essay_scoring.cli.main import run
from tests.conftest import SMOKE

SMALL = ("baselines=[]", "evaluation.replicates=100")


class Shell:
    """Commands with runs, caches and files in a folder of their own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.runs, self.cache = folder, folder / "runs", cache
        self._runs = ["--runs-dir", str(self.runs)]
        self._cache = ["--cache-dir", str(cache)]

    def cv(self, name: str) -> Path:
        """Run the smoke config of the length scorer under a name and return its folder."""
        values = [part for value in (f"name={name}", *SMALL) for part in ("--set", value)]
        assert run(["cv", str(SMOKE / "length.toml"), *values, *self._runs, *self._cache]) == 0
        [folder] = self.runs.glob(f"{name}-*")
        return folder

    def study(self, file: Path) -> int:
        """Run a study and return the exit code."""
        return run(["study", str(file), *self._runs, *self._cache])

    def judging(self, *arguments: str | Path) -> int:
        """Run a command that reads runs and the register, and return the exit code."""
        return run([*map(str, arguments), *self._runs])

    def reading(self, *arguments: str | Path) -> int:
        """Run a command that is given paths alone, and return the exit code."""
        return run(list(map(str, arguments)))

    def power(self, *arguments: str | Path) -> int:
        """Simulate power with the cache, and return the exit code."""
        return run(["power", *map(str, arguments), *self._cache])


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file in place, as an editor would: no manifest is written anew."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
