"""Processes that share out work, and end with the process that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import TypeVar

from essay_scoring.core.errors import InputError
from essay_scoring.core.machine import cores
from essay_scoring.core.spawned import FreshContext

WORKERS_VARIABLE = "ESSAY_SCORING_WORKERS"
"""Environment variable: how many processes share work; 1 keeps it in this process."""

_MOST_WORKERS = 8

_AHEAD = 3
"""Parts that wait for each worker: enough to keep it busy, few enough to hold in memory."""

_ALONE = ContextVar("alone", default=False)

Part = TypeVar("Part")
Result = TypeVar("Result")


def worker_count() -> int:
    """Return how many workers to use: those asked for, else one a core, at most eight.

    In a worker of joblib, among others that share the cores, it is one, whatever is asked.
    Raises InputError where WORKERS_VARIABLE is no positive number.
    """
    if _ALONE.get() or _among_others():
        return 1
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


def thread_count() -> int:
    """Return how many threads may compute in this process: as many as asked for, else one a core.

    Threads share what they read: unlike workers they need no limit but that of the cores.
    """
    return worker_count() if os.environ.get(WORKERS_VARIABLE) else cores()


@contextlib.contextmanager
def in_this_process() -> Iterator[None]:
    """Start no workers meanwhile: for a few essays, and for programs that do not expect any."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


def _among_others() -> bool:
    """Tell whether joblib started this process, as scikit-learn's `n_jobs` has it do."""
    return type(multiprocessing.current_process()).__module__.startswith("joblib.")


def map_parts(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Yield `work(part)` of each part in order, computed in the worker processes of this process.

    A single worker, or a single part, is computed in this process. Workers stay for later calls.
    """
    if len(parts) < 2 or worker_count() == 1:
        return map(work, parts)
    return _SHARED.results(work, parts)


def close_workers() -> None:
    """Let the workers of `map_parts` end when idle; later work starts new ones."""
    _SHARED.close()


class WorkerPool:
    """Processes made when first needed, and made anew after a fork or a failure.

    `renewed_after` parts a worker, new processes take over. What a worker calls starts no workers
    of its own. Ctrl-C is left to this process; the workers end with it, however it ends.
    """

    def __init__(
        self, workers: Callable[[], int], mend: str, renewed_after: int | None = None
    ) -> None:
        self._workers, self._mend, self._renewed_after = workers, mend, renewed_after
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._owner = self._given = 0

    def results(self, work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield `work(part)` of each part in order; on any failure the rest is not begun.

        Parts are taken only a few ahead of those that are done. Raises InputError where a worker
        was ended from outside, and whatever `work` raises.
        """
        waiting: deque[Future[Result]] = deque()
        try:
            for part in parts:
                waiting.append(self._submit(work, part))
                if len(waiting) > _AHEAD * self._workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            self.close()
            what = "a worker process was ended from outside"
            raise InputError(what, mend=self._mend) from None
        except BaseException as error:
            at_once = not isinstance(error, Exception | GeneratorExit)
            # A part that is cancelled and whose worker ends makes the pool print a traceback.
            for future in () if at_once else waiting:
                future.cancel()
            if not isinstance(error, Exception):
                self._leave(at_once=at_once)
            raise

    def close(self) -> None:
        """Let the processes end once they have done what they are at."""
        with self._lock:
            pool, self._pool, self._given = self._pool, None, 0
        if pool is not None and self._owner == os.getpid():
            pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, *, at_once: bool) -> None:
        """Let the processes end; `at_once` loses what they are at, which may take long."""
        with self._lock:
            # The executor has no public way before Python 3.14.
            working = dict(self._pool._processes or {}) if self._pool is not None else {}  # noqa: SLF001
        for process in working.values() if at_once else ():
            process.kill()
        self.close()

    def _submit(self, work: Callable[[Part], Result], part: Part) -> Future[Result]:
        with self._lock:
            mine = self._owner == os.getpid()
            worn = self._renewed_after and self._given >= self._renewed_after * self._workers()
            if self._pool is not None and mine and worn:
                self._pool.shutdown(wait=False)
            if self._pool is None or not mine or worn:
                self._pool, self._owner, self._given = _processes(self._workers()), os.getpid(), 0
            self._given += 1
            return self._pool.submit(work, part)


def _processes(count: int) -> ProcessPoolExecutor:
    # A fork would copy the locks of whatever threads torch or OpenMP have started.
    return ProcessPoolExecutor(count, FreshContext(), initializer=_settle)


_SHARED = WorkerPool(
    worker_count,
    f"free memory, or set {WORKERS_VARIABLE}=1; then run the same command again",
)


def _settle() -> None:
    """Prepare a worker."""
    end_with_parent()
    os.environ[WORKERS_VARIABLE] = "1"


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
