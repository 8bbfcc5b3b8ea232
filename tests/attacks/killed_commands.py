"""Commands in processes of their own: killed after they began to write, or several at once.

Every start finds the same folder at the same path, so that nothing differs but the kill.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.worker_pool import WORKERS_VARIABLE
from tests.conftest import PATIENCE, ROOT, await_that

MARK = "KILLED_COMMAND"
"""Names, in the environment of a command and of all that it starts, which one it is."""

_ORPHANS_MAY_TAKE = 30.0
"""Seconds: a worker that is still importing hears of its parent's end when it has done so."""

_RESULTS = (".csv", ".jsonl", ".parquet", ".safetensors")
_SELECTED = "selected_params.json"
_LEDGERS = ("plan_register.jsonl", "attempts.jsonl", "locked_test_ledger.jsonl")
_TIMES = re.compile(r": \d+/\d+ .*(, in \d+ s|, about .+ left)?$")


@dataclass(frozen=True)
class Done:
    """How a command ended, what it said besides its progress, and what it left."""

    code: int
    said: tuple[str, ...]
    standing: dict[str, str | None]


@dataclass
class Command:
    """A command line and the folder that it works in, of which `template` is what it finds."""

    line: Sequence[str]
    home: Path
    template: Path
    began: float = 0.0
    """Seconds from the start to the first change of the folder, where nothing disturbs it."""
    worked: float = 0.0
    """Seconds from then to the end."""
    _running: list[Running] = field(default_factory=list)

    def reset(self) -> None:
        """Let the next start find what the first one found."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.template, self.home)

    def undisturbed(self) -> Done:
        """Run to the end in a fresh folder, noting how long it takes."""
        return self._timed(self._working())

    def killed(self, part: float, *, group: bool) -> Done:
        """Start in a fresh folder and kill when about `part` of the work is done.

        `group`: the command and its workers are killed, else it alone.
        """
        for _ in range(6):
            running = self._working()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._timed(running, self.worked * part)
                # It ended before it was killed: that is how long it takes now.
                continue
            running.kill(group=group)
            done = self.end(running)
            if done.code == -signal.SIGKILL:
                return done
        raise AssertionError("it always ended before it was killed")

    def again(self) -> Done:
        """Run to the end in the folder as it is."""
        return self.end(self.start())

    def at_once(self, n: int, pause: float) -> list[Done]:
        """Start several processes in a fresh folder, with a pause between them; await them all."""
        self.reset()
        started = []
        for number in range(n):
            time.sleep(pause if number else 0.0)
            started.append(self.start())
        for running in started:
            running.process.wait(PATIENCE)
        return [self.end(running) for running in started]

    def start(self) -> Running:
        """Start it in a session of its own; what it says goes to a file, which outlives it."""
        token = secrets.token_hex(8)
        told = self.home.parent / f"told-{token}"
        few = {"OMP_NUM_THREADS": "1", WORKERS_VARIABLE: "2"}
        environment = {**os.environ, **few, MARK: token}
        with told.open("wb") as stream:
            process = subprocess.Popen(
                self.line,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
            )
        running = Running(process, token, told)
        self._running.append(running)
        return running

    def end(self, running: Running) -> Done:
        """Await the end of a command and of all that it started."""
        code = running.process.wait(PATIENCE)
        await_that(lambda: not running.left(), _ORPHANS_MAY_TAKE)
        lines = running.told.read_text(encoding="utf-8").splitlines()
        said = tuple(line for line in lines if not _TIMES.search(line))
        return Done(code, said, standing(self.home))

    def close(self) -> None:
        """End whatever a failed test left."""
        for running in self._running:
            for pid in running.left():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _working(self) -> Running:
        """Start it in a fresh folder, and await its first change of the folder."""
        self.reset()
        start, before = time.monotonic(), _names(self.template)
        running = self.start()
        while running.process.poll() is None and _names(self.home) == before:
            time.sleep(0.002)
        self.began = time.monotonic() - start
        return running

    def _timed(self, running: Running, seconds: float = PATIENCE) -> Done:
        """Await the end, noting how long the work took; TimeoutExpired after some seconds."""
        start = time.monotonic()
        running.process.wait(seconds)
        self.worked = time.monotonic() - start
        return self.end(running)


@dataclass(frozen=True)
class Running:
    """A command that was started; `told` is the file of what it says."""

    process: subprocess.Popen[bytes]
    token: str
    told: Path

    def kill(self, *, group: bool) -> None:
        """Kill the command, and with `group` all that it started in its session."""
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def left(self) -> list[int]:
        """Return the processes that it started and that still run, itself among them."""
        mark = f"{MARK}={self.token}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found


def standing(home: Path) -> dict[str, str | None]:
    """Return every file and folder below `home`, with the hash of those that hold results.

    Of a ledger, whose lines tell times, it is their number.
    """
    return {str(path.relative_to(home)): _content(path) for path in sorted(home.rglob("*"))}


def _content(path: Path) -> str | None:
    if path.name in _LEDGERS:
        return str(len(path.read_bytes().splitlines()))
    is_result = path.suffix in _RESULTS or path.name == _SELECTED
    return file_sha256(path) if is_result and path.is_file() else None


def _names(home: Path) -> set[str]:
    """Return the files and folders below `home`; some may go meanwhile."""
    return {
        f"{folder}/{name}".removeprefix(str(home))
        for folder, folders, files in os.walk(home)
        for name in (*folders, *files)
    }
