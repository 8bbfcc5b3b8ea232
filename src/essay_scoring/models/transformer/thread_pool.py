"""Passes through a network side by side, each on its own share of the processors.

The products of a small encoder are too thin to be split among threads. Results come in the order of
the items, so that sums of them are the same bytes whoever computed them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from essay_scoring.features.precision import settle_thread

Item = TypeVar("Item")
Result = TypeVar("Result")
InOrder = AbstractContextManager[None]

MOST_WORKERS = 4
"""An optimiser step has few passes; further processors join in each of them."""


class ThreadPool:
    """Workers that each do one item at a time; close it when nothing more is to be done."""

    def __init__(self, workers: int = 1, threads_each: int = 1) -> None:
        self._workers, self._pool = workers, None
        if workers > 1:
            # Both are settings of the thread that calls.
            self._pool = ThreadPoolExecutor(workers, "pool", settle_thread, (threads_each,))

    def each(
        self, work: Callable[[Item, InOrder], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield what `work` returns of each item, in their order, with a few more under way.

        What is done `with in_order:`, the second argument, is done in their order too. The first
        failure in that order is raised, once nothing is under way any more.
        """
        if self._pool is None:
            for item in items:
                yield work(item, _nobody_before())
            return
        under_way: deque[Future[Result]] = deque()
        before = threading.Event()
        before.set()
        try:
            for item in items:
                own = threading.Event()
                under_way.append(self._pool.submit(_in_turn, work, item, before, own))
                before = own
                if len(under_way) > self._workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in reversed(under_way):
                future.cancel()
            wait(under_way)

    def close(self) -> None:
        """Let the workers go."""
        if self._pool is not None:
            self._pool.shutdown()


INLINE = ThreadPool()
"""No workers: everything is done where it is asked for, with all the threads that torch has."""


def _in_turn(
    work: Callable[[Item, InOrder], Result],
    item: Item,
    before: threading.Event,
    own: threading.Event,
) -> Result:
    """Do an item; whatever becomes of it, those that wait for its turn go on."""
    try:
        return work(item, _in_order(before, own))
    finally:
        own.set()


@contextmanager
def _in_order(before: threading.Event, own: threading.Event) -> Iterator[None]:
    before.wait()
    try:
        yield
    finally:
        own.set()


@contextmanager
def _nobody_before() -> Iterator[None]:
    yield
