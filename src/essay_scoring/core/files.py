"""Files that are either whole or absent, and locks that die with their process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from essay_scoring.core.errors import InputError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically, making its folders."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file atomically, making its folders."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the value of a JSON file; raise InputError if it is absent or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), mend="check the path") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"not a JSON file ({error})", where=str(path), mend="restore or delete it"
        ) from None


@contextlib.contextmanager
def try_lock(path: Path, *, shared: bool = False, patience: float = 0.0) -> Iterator[bool]:
    """Yield whether this process now holds the lock; the system frees it when the process ends.

    Several processes may hold a `shared` lock at once, and no other one meanwhile. Whoever asks
    whether a lock is free holds it for that moment: `patience` (seconds) outlasts such a look.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + patience
    with path.open("a+") as stream:
        while not (held := _take(stream, kind)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield held


def _take(stream: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def same_file(path: Path) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether `path` is still the file that it is now.

    A file that was removed and made again is another one: this one is kept open meanwhile, so that
    its number is not given away.
    """
    with path.open("rb") as stream:
        number = os.fstat(stream.fileno()).st_ino

        def same() -> bool:
            try:
                return path.stat().st_ino == number
            except OSError:
                return False

        yield same


@contextlib.contextmanager
def wait_lock(path: Path) -> Iterator[None]:
    """Hold the lock, waiting for whoever has it; the system frees it when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
