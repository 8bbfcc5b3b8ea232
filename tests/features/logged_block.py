"""A cheap block that notes every essay it is asked about; run as a program it fills a store."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.store import FeatureStore


class LoggedBlock:
    """Text and prompt lengths; each id goes to the log before it is computed, slowly if asked.

    At the essay `stop_at` it waits to be killed.
    """

    name = feature_set = "logged"
    reads_prompt = True
    column_names = ("length", "prompt_length")

    def __init__(self, log: Path, version: int = 1, delay: float = 0.0, stop_at: str = "") -> None:
        self.identity: JsonObject = {"version": version}
        self._log, self._delay, self._stop_at = log, delay, stop_at

    def forget(self) -> None:
        """Begin the log anew."""
        self._log.write_text("", encoding="utf-8")

    def columns(self, essays: Essays) -> Columns:
        for essay_id in essays.ids:
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(f"{essay_id}\n")
            while essay_id == self._stop_at:
                time.sleep(1)
            time.sleep(self._delay)
        rows = zip(essays.texts, essays.prompts, strict=True)
        values = np.array([[len(text), len(prompt)] for text, prompt in rows], dtype=np.float32)
        return Columns(self.column_names, values.reshape(-1, 2))

    def computed(self) -> list[str]:
        """Return every id so far, in order; an id computed twice is there twice."""
        return self._log.read_text(encoding="utf-8").split() if self._log.exists() else []


def numbered_essays(n: int) -> Essays:
    """Return n essays, essay i of i + 1 letters, on prompts p0 to p2 in turn."""
    ids = tuple(f"id{i}" for i in range(n))
    return Essays(ids, tuple("x" * (i + 1) for i in range(n)), tuple(f"p{i % 3}" for i in range(n)))


if __name__ == "__main__":
    root, log, n_essays, seconds, stop_at = sys.argv[1:]
    block = LoggedBlock(Path(log), delay=float(seconds), stop_at=stop_at)
    FeatureStore(Path(root)).columns(block, numbered_essays(int(n_essays)), Progress())
