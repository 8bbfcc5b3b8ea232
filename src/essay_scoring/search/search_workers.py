"""Several workers on one search: this process and helpers, each with its share of the cores."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import BusyError
from essay_scoring.core.progress import Progress
from essay_scoring.core.worker_pool import end_with_parent
from essay_scoring.records.manifest import is_complete
from essay_scoring.runs.session import Session, finish

Task = Callable[..., None]


@dataclass(frozen=True)
class Team:
    """How many processes work, and the URL of the storage; None is a journal in the folder."""

    workers: int = 1
    storage: str | None = None


@contextlib.contextmanager
def helpers(workers: int, task: Task, *arguments: Any) -> Iterator[None]:
    """Start `task(*arguments)`, a module's function, in all workers but this one.

    This one has its share of the cores meanwhile. Helpers end when nothing is left to try, and with
    this process. What one of them had claimed when it was ended is tried by another.
    """
    shares = _shares(workers)
    context = multiprocessing.get_context("spawn")
    started: list[BaseProcess] = []
    try:
        for share in shares[1:]:
            started.append(context.Process(target=_help, args=(share, task, arguments)))
            started[-1].start()
        with _on(shares[0]):
            yield
        for process in started:
            process.join()
    finally:
        for process in started:
            process.terminate()


def take_part(
    folder: Path,
    resume: str,
    progress: Progress,
    *,
    lead: Callable[[Session], None],
    join: Callable[[], None],
) -> Path:
    """Return a folder that several processes may work on, once it is complete or led by another.

    The first process to come leads: it writes status, progress and the ending. Any other joins, and
    returns when nothing is left to try; should the leader have died, it leads in its turn.
    """
    joined = False
    while not is_complete(folder):
        try:
            finish(folder, resume, progress, lead, shared=True)
        except BusyError as error:
            # A leader may also find one of the runs busy that the ending needs.
            if error.where != str(folder):
                raise
            if joined:
                break
            join()
            joined = True
    return folder


@contextlib.contextmanager
def counted(
    progress: Progress, name: str, total: int, finished: Callable[[], int]
) -> Iterator[Callable[[], None]]:
    """Yield a function that tells how many trials are finished, by whichever worker."""
    with progress.stage(name, total, "trials") as advance:
        before = 0

        def told() -> None:
            nonlocal before
            now = finished()
            if now > before:
                advance(now - before)
            before = now

        yield told
        told()


def _help(share: set[int], task: Task, arguments: tuple[Any, ...]) -> None:
    """Work until nothing is left; whatever fails here is tried, and told, by the first worker."""
    end_with_parent()
    with _on(share), contextlib.suppress(Exception):
        task(*arguments)


def _shares(workers: int) -> list[set[int]]:
    """Return the cores of each worker, as equal as can be; {} where the system cannot divide."""
    if workers == 1 or not hasattr(os, "sched_getaffinity"):
        return [set() for _ in range(workers)]
    cores = sorted(os.sched_getaffinity(0))
    if workers >= len(cores):
        return [{cores[worker % len(cores)]} for worker in range(workers)]
    return [set(cores[worker::workers]) for worker in range(workers)]


@contextlib.contextmanager
def _on(share: set[int]) -> Iterator[None]:
    """Keep this process to some cores, so that its fits use as many threads."""
    if not share:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, share)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
