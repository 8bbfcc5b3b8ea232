"""Processes that score parts of a table, each with the model loaded once."""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from essay_scoring.core.errors import EssayScoringError, InputError, NotFiniteError
from essay_scoring.core.essays import Essays
from essay_scoring.features.workers import WORKERS_VARIABLE, end_with_parent
from essay_scoring.scoring.input_table import Row
from essay_scoring.scoring.model import Scored, TrainedModel

_AHEAD = 3
"""Parts that wait for each worker: enough to keep it busy, few enough to hold in memory."""

_SHIFT_PARTS = 256
"""Parts that a worker scores before a new one takes over: a parser's list of words grows with every
word it meets, and a new process starts with none."""


@dataclass(frozen=True)
class Part:
    """Some rows of a table, and their essays."""

    number: int
    rows: list[Row]
    essays: Essays


@dataclass(frozen=True)
class Failure:
    """An expected failure in a worker: its one line and exit code."""

    line: str
    exit_code: int


Answer = list[Scored] | Failure


class ScoringPool:
    """So many processes, even if that is one: every essay is then read under one set of terms."""

    def __init__(self, model: Path, cache: Path, workers: int) -> None:
        self._model, self._cache, self._workers = model, cache, workers
        self._pool: ProcessPoolExecutor | None = None
        self._given = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._end(wait=error is None, cancel=error is not None)

    def score(self, parts: Iterator[Part]) -> Iterator[tuple[Part, list[Scored]]]:
        """Yield every part with the scores of its essays, in order.

        Parts are taken from the iterator only a few ahead of those that are done.
        """
        waiting: deque[tuple[Part, Future[Answer]]] = deque()
        try:
            for part in parts:
                waiting.append((part, self._submit(part)))
                if len(waiting) > _AHEAD * self._workers:
                    yield _done(*waiting.popleft())
            while waiting:
                yield _done(*waiting.popleft())
        except BrokenProcessPool:
            self._end(wait=False, cancel=True)
            raise InputError(
                "a worker process was ended from outside",
                mend="free memory, each worker takes about 1.5 GB, or score with --workers 1; the "
                "same command goes on from what is done",
            ) from None

    def _end(self, *, wait: bool, cancel: bool) -> None:
        """Let the workers end once they have done what they were given, unless that is cancelled.

        Later parts go to new ones.
        """
        pool, self._pool, self._given = self._pool, None, 0
        if pool is not None:
            pool.shutdown(wait=wait, cancel_futures=cancel)

    def _submit(self, part: Part) -> Future[Answer]:
        if self._given == _SHIFT_PARTS * self._workers:
            self._end(wait=False, cancel=False)
        self._given += 1
        if self._pool is None:
            # A fork would copy the locks of whatever threads torch or OpenMP have started.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, context, initializer=_settle)
        return self._pool.submit(_score, self._model, self._cache, part.essays)


def _done(part: Part, future: Future[Answer]) -> tuple[Part, list[Scored]]:
    answer = future.result()
    if isinstance(answer, Failure):
        kind = NotFiniteError if answer.exit_code == NotFiniteError.exit_code else InputError
        raise kind(answer.line)
    return part, answer


def _settle() -> None:
    """Prepare a worker: blocks of features must not start workers of their own."""
    end_with_parent()
    os.environ[WORKERS_VARIABLE] = "1"


def _score(model: Path, cache: Path, essays: Essays) -> Answer:
    try:
        return _loaded(model, cache).score(essays)
    except EssayScoringError as error:
        # Such an error is made of more than its message, which is all that would travel.
        return Failure(error.line(), error.exit_code)


@functools.cache
def _loaded(model: Path, cache: Path) -> TrainedModel:
    """Load the model once a process."""
    return TrainedModel(model, cache)
