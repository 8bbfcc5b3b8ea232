"""A session: one process working in one run folder, saying so while it does and how it ended."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from essay_scoring.core.errors import (
    BusyError,
    EssayScoringError,
    EvidenceError,
    InputError,
    Interrupted,
)
from essay_scoring.core.files import same_file, try_lock, write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import BeginStep, Progress, ProgressEvent
from essay_scoring.core.record import read_record, write_record
from essay_scoring.records.ledger import now
from essay_scoring.records.manifest import (
    LOCK,
    MANIFEST,
    is_complete,
    require_intact,
    write_manifest,
)
from essay_scoring.records.run_records import Failure, ProgressRecord, SessionEntry, Status

HEARTBEAT_SECONDS = 5.0
LOOK_SECONDS = 1.0
"""Longer than anyone who only asks how a run stands holds its lock."""

_PROGRESS_SECONDS = 0.5

T = TypeVar("T")
State = Literal["complete", "running", "interrupted", "failed", "killed"]

log = logging.getLogger("essay_scoring")


def finish(
    folder: Path,
    resume: str,
    progress: Progress,
    work: Callable[[Session], T],
    *,
    read: Callable[[Path], T | None],
    shared: bool = False,
) -> T:
    """Return what `work` made of a folder, now sealed, or what `read` finds in a finished one.

    `read` verifies the folder: it raises EvidenceError for one that was changed since, and has the
    work done again by returning None. Whether the folder is finished is asked again under the lock,
    so that what `work` returned is passed on only under a seal that this process wrote. Raises
    BusyError when another live process holds the folder. However the work ends, status.json says
    so: `complete`, `interrupted` (with the `resume` command) or `failed` (with the error's type). A
    process that is killed leaves `running` behind, which `read_status` tells from a live one.
    `shared`: other processes work in the folder too, under locks of their own, so half-written
    files are theirs, and are left until all is done.
    """
    if is_complete(folder) and (finished := read(folder)) is not None:
        return finished
    with _held(folder) as still_ours:
        if is_complete(folder):
            if (finished := read(folder)) is not None:
                return finished
            (folder / MANIFEST).unlink()
        if not shared:
            _sweep(folder)
        session = Session(folder, resume, progress, still_ours)
        with _log_to(folder / "run.log"), progress.heard_by(session.hear), session:
            result = session.do(work)
        if shared:
            _sweep(folder)
        write_manifest(folder)
    return result


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[Callable[[], bool]]:
    """Hold a folder's lock; yield what tells whether the folder is still the one that is held."""
    path = folder / LOCK
    with try_lock(path, patience=LOOK_SECONDS) as held:
        if not held:
            status = stated(folder)
            pid = "unknown" if status is None else status.pid
            raise BusyError(
                f"another process (pid {pid}) is doing this run",
                where=str(folder),
                mend="wait for it, and see it with: essay-scoring status",
            )
        with same_file(path) as still_ours:
            yield still_ours


class Session:
    """Keeps status.json and progress.json of a run folder true while work goes on.

    `doing` names the stage that work is in.
    """

    def __init__(
        self, folder: Path, resume: str, progress: Progress, still_ours: Callable[[], bool]
    ) -> None:
        self.folder, self.progress = folder, progress
        self._still_ours = still_ours
        self._evidence: dict[Path, str | None] = {}
        self.doing = "starting"
        self._plans = contextlib.ExitStack()
        self._begin: BeginStep = lambda _: None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        host = platform.node()
        self._status = Status(
            state="running",
            stage="starting",
            pid=os.getpid(),
            host=host,
            started=_now(),
            sessions=[*_sessions(folder), SessionEntry(started=now(), host=host)],
            resume=resume,
            heartbeat=_now(),
        )
        self._told = 0.0
        self._beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Session:
        self._write()
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: Any
    ) -> None:
        self._plans.close()
        self._stop.set()
        self._beating.join()
        if error is None:
            self._end("complete")
        elif isinstance(error, KeyboardInterrupt | Interrupted):
            log.warning("interrupted")
            self._end("interrupted")
        else:
            self._end("failed", failure=_failure(error))

    def plan(self, steps: int) -> None:
        """Say how many stages there will be, so that whoever follows knows how far it is."""
        self._begin = self._plans.enter_context(self.progress.planned(steps))

    def pass_over(self) -> None:
        """Count a planned stage that turned out not to be needed."""
        self._begin(None)

    def stage(self, name: str) -> None:
        """Name the stage that work is in; EvidenceError if the folder is no longer there."""
        log.info("stage %s", name)
        self._require_ours()
        self.doing = name
        self._begin(name)
        self._write(stage=name)

    def remember(self, data: Path) -> None:
        """Keep where the corpus's files are, for commands on the finished run."""
        self._write(data_folder=str(data.absolute()))

    def wrote(self, *paths: Path) -> None:
        """Name files and sealed folders that must be as they are now when the folder is sealed."""
        self._evidence |= {path: None if path.is_dir() else file_sha256(path) for path in paths}

    def do(self, work: Callable[[Session], T]) -> T:
        """Return what the work returns; EvidenceError unless all it wrote is as it was written."""
        try:
            result = work(self)
        except OSError:
            self._require_ours()
            raise
        self._require_ours()
        for path, sha256 in self._evidence.items():
            if path.is_dir():
                require_intact(path)
            elif not path.is_file():
                raise _unsealable("removed", str(path))
            elif file_sha256(path) != sha256:
                raise _unsealable("changed", str(path))
        return result

    def _require_ours(self) -> None:
        if not self._still_ours():
            raise _unsealable("removed", str(self.folder))

    def _end(self, state: str, **more: Any) -> None:
        self._write(state=state, finished=_now(), **more)

    def _write(self, **changes: Any) -> None:
        with self._lock:
            self._status = self._status.model_copy(update=changes | {"heartbeat": _now()})
            if self._still_ours():
                told = self._status.model_dump(mode="json", exclude_unset=True)
                write_json(self.folder / "status.json", told)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            # A disk that is full or gone is told by the work, in its one line.
            with contextlib.suppress(OSError):
                self._write()

    def hear(self, event: ProgressEvent) -> None:
        """Write progress.json, at most twice a second and always at a stage's end."""
        now = time.monotonic()
        if event.done < event.total and now - self._told < _PROGRESS_SECONDS:
            return
        self._told = now
        if not self._still_ours():
            return
        told = {key: getattr(event, key) for key in ("stage", "done", "total", "unit")}
        write_record(self.folder / "progress.json", ProgressRecord(**told, time=_now()))


@dataclass(frozen=True)
class RunStanding:
    """How a folder's work stands: the state that is true now, what was said, how far it is."""

    state: State
    said: Status
    progress: ProgressRecord | None

    @property
    def failure(self) -> Failure | None:
        """How it failed; None where it did not."""
        return self.said.failure if self.state == "failed" else None


def read_status(folder: Path) -> RunStanding:
    """Return status.json with the true state: `running` only while a live process holds the folder.

    The states are complete, running, interrupted, failed, and killed (it ended without a word).
    """
    status = stated(folder)
    if status is None:
        raise InputError("not a run folder", where=str(folder), mend="name a folder under runs/")
    state: State = status.state
    alive = False
    if (folder / LOCK).is_file():
        with try_lock(folder / LOCK) as free:
            alive = not free
    if is_complete(folder):
        state = "complete"
    elif alive:
        state = "running"
    elif state in ("running", "complete"):
        state = "killed"
    progress = folder / "progress.json"
    return RunStanding(
        state, status, read_record(ProgressRecord, progress) if progress.is_file() else None
    )


def remembered_data(folder: Path) -> Path | None:
    """Return where the data of a run were, None where it does not say."""
    status = stated(folder)
    return None if status is None or status.data_folder is None else Path(status.data_folder)


def first_start(folder: Path) -> str | None:
    """Return when the first process entered a run folder, however often it was resumed since."""
    sessions = _sessions(folder)
    return sessions[0].started if sessions else None


def hosts(folder: Path) -> set[str]:
    """Return every host that worked in a run folder."""
    return {entry.host for entry in _sessions(folder)}


def _sessions(folder: Path) -> list[SessionEntry]:
    """Return when and where each process entered the folder, in order."""
    status = stated(folder)
    return [] if status is None else status.sessions


def _unsealable(what: str, where: str) -> EvidenceError:
    return EvidenceError(
        f"{what} while the run was going on, so that nothing can be sealed",
        where=where,
        mend="start the same command again",
    )


def _sweep(folder: Path) -> None:
    """Remove the half-written files that a killed process left; no live one holds the folder."""
    for path in folder.rglob(".*"):
        if path.is_file() and path.name != LOCK:
            path.unlink()


def _failure(error: BaseException) -> Failure:
    """Return what may be said of an error: an unexpected one's message could quote an essay."""
    if isinstance(error, EssayScoringError):
        log.error("%s", error.line())
        return Failure(type=type(error).__name__, message=error.line())
    places = [
        f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)
    ]
    log.error("unexpected %s at\n  %s", type(error).__name__, "\n  ".join(places))
    return Failure(type=type(error).__name__, message="unexpected; run.log holds the place")


def stated(folder: Path) -> Status | None:
    """Return what status.json says, checked; None where there is none."""
    path = folder / "status.json"
    return read_record(Status, path) if path.is_file() else None


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Send the project's log to a file as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
