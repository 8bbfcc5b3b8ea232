"""Parts of a table, scored by processes that each load the model once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.essays import Essays
from essay_scoring.core.worker_pool import WorkerPool
from essay_scoring.data.rows import Row
from essay_scoring.scoring.model import Scored, TrainedModel

_RENEWED_AFTER = 256
"""Parts that a worker scores before a new one takes over: a parser's list of words grows with every
word it meets, and a new process starts with none."""


@dataclass(frozen=True)
class LoadedModel:
    """What each process loads: a model, the cache, other tables of imported columns if any.

    `prompt_texts` are names of prompts that were not trained on, each with what it asked.
    """

    folder: Path
    cache: Path
    tables: tuple[Path, ...] = ()
    prompt_texts: tuple[tuple[str, str], ...] = ()

    def load(self) -> TrainedModel:
        """Return the model."""
        return TrainedModel(self.folder, self.cache, self.tables, dict(self.prompt_texts))


@dataclass(frozen=True)
class TablePart:
    """Some rows of a table, and their essays."""

    number: int
    rows: list[Row]
    essays: Essays


def score_parts(
    loaded: LoadedModel, workers: int, parts: Iterator[TablePart]
) -> Iterator[tuple[TablePart, list[Scored]]]:
    """Yield every part with the scores of its essays, in order.

    Parts are taken from the iterator only a few ahead of those that are done. No `workers` at all
    is this process, which saves the start of another for a few parts.
    """
    if workers == 0:
        yield from ((part, _score(loaded, part.essays)) for part in parts)
        return
    mend = "free memory, each worker takes about 1.5 GB, or score with --workers 1; the same "
    pool = WorkerPool(lambda: workers, f"{mend}command goes on from what is done", _RENEWED_AFTER)
    with closing(pool):
        taken, sent = itertools.tee(parts)
        score = functools.partial(_score, loaded)
        yield from zip(taken, pool.results(score, (part.essays for part in sent)), strict=True)


def _score(loaded: LoadedModel, essays: Essays) -> list[Scored]:
    return _model(loaded).score(essays)


@functools.cache
def _model(loaded: LoadedModel) -> TrainedModel:
    """Load the model once a process."""
    return loaded.load()
