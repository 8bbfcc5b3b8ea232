"""Where a search's trials are kept: Optuna's own journal file, or any database it can open."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.files import wait_lock
from essay_scoring.records.search import SearchFolder


class Storage:
    """An Optuna storage, by the URL of a database or, without one, a journal in the search folder.

    `optuna-dashboard` opens either as it is.
    """

    def __init__(self, folder: SearchFolder, url: str | None) -> None:
        self.name = str(folder.journal) if url is None else _without_password(url)
        with self.answers():
            if url is None:
                self._storage = _journal(folder.journal, folder.locks / folder.journal.name)
            else:
                self._storage = _database(url)

    def study(self, name: str) -> Any:
        """Return the study of a name, made if it is not there."""
        import optuna

        with self.answers():
            # Finding it first: making it would write even where it is there.
            with contextlib.suppress(KeyError):
                return optuna.load_study(study_name=name, storage=self._storage)
            return optuna.create_study(
                study_name=name,
                storage=self._storage,
                direction="maximize",
                load_if_exists=True,
            )

    @contextlib.contextmanager
    def answers(self) -> Iterator[None]:
        """Turn whatever a storage may fail with into one line; what is on disk already stays."""
        try:
            yield
        except _failures() as error:
            raise InputError(
                f"the storage does not answer ({type(error).__name__})",
                where=self.name,
                mend="bring it back, or name another with --storage, and run the same command "
                "again; no finished trial is lost",
            ) from None


def require_optuna() -> None:
    """Raise MissingExtraError without Optuna; quiet it otherwise."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingExtraError("optuna", "search") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class JournalLock:
    """The lock of a journal file: freed by the system when its holder dies, unlike Optuna's own.

    Whoever takes it first cuts off a line that a full disk or a kill left without its end, which
    would make everything after it unreadable.
    """

    def __init__(self, journal: Path, lock: Path) -> None:
        self._journal, self._lock = journal, lock
        self._held = contextlib.ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock and mend the end of the file."""
        with contextlib.ExitStack() as held:
            held.enter_context(wait_lock(self._lock))
            _mend(self._journal)
            self._held = held.pop_all()
        return True

    def release(self) -> None:
        """Let go of the lock."""
        self._held.close()


def _mend(journal: Path) -> None:
    with journal.open("rb+") as stream:
        end = stream.seek(0, os.SEEK_END)
        if end == 0:
            return
        stream.seek(end - 1)
        if stream.read() == b"\n":
            return
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)


def _journal(path: Path, lock: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    keeper: Any = JournalLock(path, lock)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=keeper))


def _database(url: str) -> Any:
    from optuna.storages import get_storage

    return get_storage(url)


def _failures() -> tuple[type[Exception], ...]:
    """Return the errors by which storages say that they cannot be used."""
    from optuna.exceptions import OptunaError

    kinds: list[type[Exception]] = [OptunaError, ValueError, ImportError]
    # Only a search that opened a database has loaded this.
    if "sqlalchemy.exc" in sys.modules:
        kinds.append(sys.modules["sqlalchemy.exc"].SQLAlchemyError)
    return tuple(kinds)


def _without_password(url: str) -> str:
    return re.sub(r"(://[^/:@]*):[^@]*@", r"\1:***@", url)
