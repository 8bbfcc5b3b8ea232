"""Several workers on one search: this process and helpers, each with its share of the cores.

Workers are equals that claim work from the folder until none is left, so one that dies takes
nothing with it. A pool of tasks (joblib's, the standard library's) gives all up when one dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

from essay_scoring.core.errors import BusyError, EssayScoringError
from essay_scoring.core.files import write_json
from essay_scoring.core.interrupts import held
from essay_scoring.core.progress import Progress
from essay_scoring.core.record import write_record
from essay_scoring.core.spawned import FreshContext
from essay_scoring.core.worker_pool import end_with_parent
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.records.search import SearchFolder
from essay_scoring.runs.run import provenance_of
from essay_scoring.runs.session import Session, finish
from essay_scoring.search.evaluator import Evaluator

PAUSE_SECONDS = 0.2
"""How long a worker waits for others before it looks again for what they left."""

Task = Callable[..., None]

log = logging.getLogger("essay_scoring.search")


@dataclass(frozen=True)
class Team:
    """How many processes work, and the URL of the storage; None is a journal in the folder."""

    workers: int = 1
    storage: str | None = None


@dataclass(frozen=True, eq=False)
class Workplace(ABC):
    """What several processes try configurations of: a search or a grid on its data."""

    evaluator: Evaluator
    folder: SearchFolder

    unit: ClassVar[str]
    """What one configuration is called."""

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What is searched: its config.json."""

    @property
    @abstractmethod
    def total(self) -> int:
        """How many configurations are to be tried."""

    @abstractmethod
    def work(self, told: Callable[[], None]) -> None:
        """Try configurations until none is left; `told` is called after each of them."""


def run_together(
    place: Workplace,
    end: Callable[[Session], None],
    helping: Callable[[], AbstractContextManager[None]],
    progress: Progress,
    resume: str,
) -> Path:
    """Return a folder that several processes may work on, once it is complete or led by another.

    `helping` starts this process's helpers. The first process to come leads: it writes status and
    progress, and `end` writes the artifacts. Any other joins, and returns when nothing is left to
    try; should the leader have died, it leads in its turn. Raises EvidenceError for a finished
    folder that was changed since.
    """
    path = place.folder.path

    def lead(session: Session) -> Path:
        session.remember(place.evaluator.base.workspace.data)
        write_json(place.folder.config, place.identity)
        write_record(place.folder.provenance, provenance_of(place.evaluator.base))
        # Columns are computed before helpers start, so that they find them stored.
        session.stage("features")
        place.evaluator.run(place.evaluator.base.config)
        session.stage(place.unit)
        with _counted(progress, place) as told, helping():
            place.work(told)
        end(session)
        return path

    joined = False
    while not is_complete(path):
        try:
            finish(path, resume, progress, lead, read=require_intact, shared=True)
        except BusyError as error:
            # A leader may also find one of the runs busy that the ending needs.
            if error.where != str(path):
                raise
            if joined:
                return path
            with helping():
                place.work(lambda: None)
            joined = True
    # Whoever joined while the leader ended made locks after it had removed them.
    shutil.rmtree(place.folder.locks, ignore_errors=True)
    return require_intact(path)


@contextlib.contextmanager
def helpers(workers: int, task: Task, *arguments: Any) -> Iterator[None]:
    """Start `task(*arguments)`, a module's function, in all workers but this one.

    This one has its share of the cores meanwhile. Helpers end when nothing is left to try, and with
    this process. What one of them had claimed when it was ended is tried by another; that it ended
    is one line in the log.
    """
    shares = _shares(workers)
    context = FreshContext()
    started: list[BaseProcess] = []
    watching: list[threading.Thread] = []
    ending = threading.Event()
    try:
        for number, share in enumerate(shares[1:], start=2):
            failures, tell = context.Pipe(duplex=False)
            known = (share, tell, task, arguments)
            # A signal in the middle of a start would leave a process that nobody ends.
            with held():
                process = context.Process(target=_help, args=known, name=f"worker {number}")
                process.start()
                started.append(process)
            tell.close()
            watch = threading.Thread(target=_watch, args=(process, failures, ending), daemon=True)
            watch.start()
            watching.append(watch)
        with _on(shares[0]):
            yield
        for watch, helper in zip(watching, started, strict=True):
            watch.join()
            helper.join()
    finally:
        ending.set()
        for helper in started:
            helper.terminate()
        for helper in started:
            helper.join()


def _help(share: set[int], tell: Connection, task: Task, arguments: tuple[Any, ...]) -> None:
    """Work until nothing is left, then tell why this worker ended: empty if as it should."""
    end_with_parent()
    failure = ""
    try:
        with _on(share):
            task(*arguments)
    except EssayScoringError as error:
        failure = error.line()
    except Exception as error:  # noqa: BLE001 - whatever it is, the first worker says it
        # The message is left out, since it could quote an essay.
        place = traceback.extract_tb(error.__traceback__)[-1]
        failure = f"{type(error).__name__} at {place.filename}:{place.lineno}"
    tell.send_bytes(failure.encode())


def _watch(process: BaseProcess, failures: Connection, ending: threading.Event) -> None:
    """Wait for a helper, and log how it failed unless it was ended on purpose."""
    try:
        failure = failures.recv_bytes().decode()
    except EOFError:
        failure = "it was ended from outside, or ran out of memory"
    if failure and not ending.is_set():
        log.warning("%s of the search stopped, the others go on: %s", process.name, failure)


def help_in(path: Path, reopen: Callable[..., Workplace], *arguments: Any) -> None:
    """Do the work of `reopen(*arguments)` that another process leads in a folder.

    Nothing is done where this process has other code than the leader, and so another folder.
    """
    place = reopen(*arguments)
    if place.folder.path == path:
        place.work(lambda: None)


@contextlib.contextmanager
def _counted(progress: Progress, place: Workplace) -> Iterator[Callable[[], None]]:
    """Yield a function that tells how many trials are finished, by whichever worker."""
    with progress.stage(place.folder.path.name, place.total, "trials") as advance:
        before = 0

        def told() -> None:
            nonlocal before
            now = len(place.folder.finished())
            if now > before:
                advance(now - before)
            before = now

        yield told
        told()


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
