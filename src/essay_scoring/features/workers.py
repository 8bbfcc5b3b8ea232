"""Processes that share out work, and end with the process that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.errors import InputError
from essay_scoring.core.machine import cores

WORKERS_VARIABLE = "ESSAY_SCORING_WORKERS"
"""Environment variable: how many processes share work; 1 keeps it in this process."""

FEWEST_TO_SHARE = 8
"""Batches of fewer essays are read in this process: starting workers takes seconds."""

_MOST_WORKERS = 8
_ESSAYS_AT_A_TIME = 2

RowsOf = Callable[[Sequence[str]], Matrix]

Part = TypeVar("Part")
Result = TypeVar("Result")


def worker_count() -> int:
    """Return how many workers to use: those asked for, else one a core, at most eight.

    Raises InputError where WORKERS_VARIABLE is no positive number.
    """
    asked = os.environ.get(WORKERS_VARIABLE, "")
    if not asked:
        return min(_MOST_WORKERS, cores())
    if not asked.isdecimal() or int(asked) < 1:
        raise InputError(
            f"{asked!r} is no number of workers",
            where=WORKERS_VARIABLE,
            mend="set it to a whole number from 1, or unset it",
        )
    return int(asked)


def map_essays(rows_of: RowsOf, texts: Sequence[str]) -> Matrix:
    """Return `rows_of(texts)`, computed a few essays at a time in worker processes.

    `rows_of` is a module's function giving one row per text, each from its own text alone.
    Few texts, or a single worker, are computed in this process.
    """
    if len(texts) < FEWEST_TO_SHARE or worker_count() == 1:
        return rows_of(texts)
    starts = range(0, len(texts), _ESSAYS_AT_A_TIME)
    parts = [list(texts[start : start + _ESSAYS_AT_A_TIME]) for start in starts]
    return np.concatenate(list(_WORKERS.results(rows_of, parts)))


def map_parts(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Yield `work(part)` of each part in order, computed in worker processes.

    `work` is a module's function; parts and results travel between processes. A single worker, or
    a single part, is computed in this process.
    """
    if len(parts) < 2 or worker_count() == 1:
        return map(work, parts)
    return _WORKERS.results(work, parts)


def close_workers() -> None:
    """Let the workers end once they have done what they are at; later work starts new ones."""
    _WORKERS.close()


class _Workers:
    """A process pool made when first needed, and made anew after a fork or a failure."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._owner = 0

    def results(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """Yield `work` of each part in order; on any failure the rest is not begun."""
        pool = self._ready()
        futures: list[Future[Result]] = []
        try:
            futures = [pool.submit(work, part) for part in parts]
            for future in futures:
                yield future.result()
        except BrokenProcessPool:
            self.close()
            raise InputError(
                "a worker process was ended from outside",
                mend=f"free memory, guard a script of your own with if __name__ == '__main__', "
                f"or set {WORKERS_VARIABLE}=1; then run the same command again",
            ) from None
        except BaseException as error:
            for future in futures:
                future.cancel()
            if not isinstance(error, Exception):
                self.close()
            raise

    def close(self) -> None:
        """Forget the pool; its processes end when idle."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._owner == os.getpid():
            pool.shutdown(wait=False, cancel_futures=True)

    def _ready(self) -> ProcessPoolExecutor:
        """Return this process's pool; a forked child cannot use its parent's."""
        with self._lock:
            if self._pool is None or self._owner != os.getpid():
                # A fork would copy the locks of whatever threads torch or OpenMP have started.
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(worker_count(), context, initializer=_settle)
                self._owner = os.getpid()
            return self._pool


_WORKERS = _Workers()


def _settle() -> None:
    """Prepare a worker."""
    end_with_parent()
    # spaCy imports torch where it finds it: a second and 0.15 GB a worker, for nothing here.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]


def end_with_parent() -> None:
    """Leave Ctrl-C to the parent of this process, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when its parent has ended, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        with contextlib.suppress(KeyboardInterrupt):
            parent.join()
        os._exit(1)
