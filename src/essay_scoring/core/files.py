"""Files that are either whole or absent, and locks that die with their process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from essay_scoring.core.errors import InputError

_PARTIAL = ".partial"
_swept: set[Path] = set()
_MOST_JSON_BYTES = 256 << 20
_MOST_DEPTH = 100
_LOCK_TRIES = 1000


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and takes its name.

    The umask decides who may read it. What killed processes left in the folder is removed. Raises
    InputError naming `path` where the disk is full or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
        temporary, lock = _claimed(path)
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(lock)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            # Writing to a full disk names no file, and a temporary name helps nobody.
            error.filename = str(path)
        raise


def _claimed(path: Path) -> tuple[Path, int]:
    """Return a new empty file beside `path` and a descriptor whose lock says that it is in use."""
    while True:
        name = f".{path.name[:60]}.{secrets.token_hex(6)}{_PARTIAL}{path.suffix[:20]}"
        temporary = path.with_name(name)
        lock = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another process may have removed it between the two calls, taking it for a stray.
        if os.fstat(lock).st_nlink:
            return temporary, lock
        os.close(lock)


def _sweep_once(folder: Path) -> None:
    """Remove temporary files whose writers are dead, the first time this process writes there."""
    if folder in _swept:
        return
    _swept.add(folder)
    for path in folder.glob(f".*{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as stream:
                    if _take(stream, fcntl.LOCK_EX):
                        path.unlink()


def plain_path(path: Path) -> Path:
    """Return a path without detours (`a/../b`), absolute where it leads out of this folder.

    It stays as it is where a link makes another file of it.
    """
    plain = Path(os.path.normpath(path))
    plain = plain.absolute() if plain.parts[:1] == ("..",) else plain
    plain = Path(os.path.normpath(plain))
    is_same = not path.exists() or (plain.exists() and plain.samefile(path))
    return plain if is_same else path


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


def read_text(path: Path, most_bytes: int, encoding: str = "utf-8") -> str:
    """Return a file's text; InputError where it is absent, no plain file, too long, or not text."""
    try:
        # A pipe without a writer would hang, a device never end.
        if not path.is_file():
            what = "not a plain file" if path.exists() else "no such file"
            raise InputError(what, where=str(path), mend="check the path")
        with path.open("rb") as stream:
            data = stream.read(most_bytes + 1)
        if len(data) > most_bytes:
            what = f"longer than {most_bytes >> 20} MiB, which no such file is"
            raise InputError(what, where=str(path), mend="check the path")
        return data.decode(encoding)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        what = "not UTF-8 text"
    except ValueError:
        what = "no path has a NUL character"
    raise InputError(what, where=str(path), mend="check the path and the file")


def read_json(path: Path) -> Any:
    """Return the value of a JSON file; raise InputError if it is absent or not usable JSON."""
    return parsed(json.loads, read_text(path, _MOST_JSON_BYTES), "JSON", str(path))


def parsed(parse: Callable[[str], Any], text: str, kind: str, where: str) -> Any:
    """Return `parse(text)`; raise InputError for what is not `kind`, or is nested too deeply."""
    try:
        value = parse(text)
    except RecursionError:
        value = _TOO_DEEP
    except ValueError as error:  # also of integers with too many digits
        what = f"not valid {kind} ({error})"
        raise InputError(what, where=where, mend="correct it, or restore it") from None
    if _too_deep(value):
        what = f"nested more than {_MOST_DEPTH} deep, which nothing here is"
        raise InputError(what, where=where, mend="correct it, or restore it")
    return value


_TOO_DEEP: list[Any] = []
_TOO_DEEP.append(_TOO_DEEP)


def _too_deep(value: object) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_MOST_DEPTH):
        children = (c.values() if isinstance(c, dict) else c for c in level)
        level = [x for child in children for x in child if isinstance(x, dict | list)]
        if not level:
            return False
    return True


@contextlib.contextmanager
def try_lock(path: Path, *, shared: bool = False, patience: float = 0.0) -> Iterator[bool]:
    """Yield whether this process now holds the lock; the system frees it when the process ends.

    Several processes may hold a `shared` lock at once, and no other one meanwhile. Whoever asks
    whether a lock is free holds it for that moment: `patience` (seconds) outlasts such a look.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + patience

    def take(stream: IO[Any]) -> bool:
        while not (held := _take(stream, kind)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return held

    with contextlib.ExitStack() as opened:
        yield _locked(path, take, opened)


def _locked(path: Path, take: Callable[[IO[Any]], bool], opened: contextlib.ExitStack) -> bool:
    """Tell whether `take` took the lock at a path, to be let go of when `opened` is closed.

    Whoever held it may have removed it, with its folder, since it was opened: who then holds what
    was removed holds nothing, and opens it again.
    """
    for tries_left in reversed(range(_LOCK_TRIES)):
        with contextlib.ExitStack() as attempt:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                stream = attempt.enter_context(_lock_file(path))
            except (FileNotFoundError, FileExistsError):
                if not tries_left:
                    raise
                continue
            if not take(stream):
                return False
            if _is_at(path, stream):
                opened.push(attempt.pop_all())
                return True
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _is_at(path: Path, stream: IO[Any]) -> bool:
    """Tell whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


def _lock_file(path: Path) -> IO[Any]:
    """Return an open lock file, made where there is none; a read-only one can be held too."""
    try:
        return path.open("ab")
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not path.is_file():
            raise
        return path.open("rb")


def _take(stream: IO[Any], kind: int) -> bool:
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

    def take(stream: IO[Any]) -> bool:
        fcntl.flock(stream, fcntl.LOCK_EX)
        return True

    with contextlib.ExitStack() as opened:
        _locked(path, take, opened)
        yield


def remove_locked(folder: Path, lock: Path) -> None:
    """Remove a folder of files with the lock in it, which this process holds, last.

    Whoever waits for the lock, or comes meanwhile, makes both anew, and finds nothing of before.
    """
    for path in folder.iterdir():
        if path != lock:
            path.unlink()
    lock.unlink()
    # Another process may have made its lock there already.
    with contextlib.suppress(OSError):
        folder.rmdir()
