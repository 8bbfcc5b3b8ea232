"""The ways a command may end other than well, each with its exit code."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import ClassVar

from essay_scoring.core.installing import install_line

_SHOWN = 80
_LONG = re.compile(r"\S{1025,}")
"""A word that no path, name or number is as long as: its beginning tells enough."""


class EssayScoringError(Exception):
    """An expected failure: one line says what, where and how to mend it; no traceback is shown."""

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(self.line())

    def __reduce__(self) -> tuple[object, ...]:
        """Let the error travel between processes, whatever a subclass is made of."""
        return _remade, (type(self), self.what, self.where, self.mend), self.__dict__

    def line(self) -> str:
        """Return the whole message on one line: `where: what. Mend: mend`."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        text = f"{head}. To mend: {self.mend}" if self.mend else head
        return _LONG.sub(_clipped, visible(text))


def _clipped(word: re.Match[str]) -> str:
    return f"{word[0][:_SHOWN]}... ({len(word[0]):,} characters)"


def visible(text: str) -> str:
    """Return text on one line that prints anywhere: control characters become escapes.

    Those are also characters that change direction, lone surrogates, and white space but blanks.
    """
    line = " ".join(text.split())
    shown = (mark if mark.isprintable() else ascii(mark)[1:-1] for mark in line)
    return line if line.isprintable() else "".join(shown)


def _remade(
    kind: type[EssayScoringError], what: str, where: str | None, mend: str | None
) -> EssayScoringError:
    error = kind.__new__(kind)
    EssayScoringError.__init__(error, what, where=where, mend=mend)
    return error


class InputError(EssayScoringError):
    """Data, configuration or arguments that cannot be used as they are (exit 2)."""


class ArgumentError(InputError, ValueError):
    """Arguments of a Python call that cannot be used; a ValueError too, as scikit-learn asks."""


class MissingExtraError(EssayScoringError):
    """A feature whose optional packages are not installed (exit 2).

    `anywhere` is what records and pages say of it: they hold no path of the machine they were made
    on.
    """

    def __init__(self, package: str, extra: str) -> None:
        what = f"the package '{package}' is not installed"
        self.install = f"pip install 'essay-scoring[{extra}]'"
        self.anywhere = f"{what}. To mend: {self.install}"
        if _is_installed(package):
            super().__init__(
                f"the package '{package}' is installed and cannot be loaded",
                mend=f"free memory, raise `ulimit -v`, or install it anew: "
                f"pip install --force-reinstall {package}",
            )
            return
        super().__init__(what, mend=install_line(extra))


def _is_installed(package: str) -> bool:
    """Tell whether a package is there, after an import of it failed where one is being handled."""
    failed = sys.exc_info()[1]
    if isinstance(failed, ModuleNotFoundError) and (failed.name or "").split(".")[0] == package:
        return False
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


class EvidenceError(EssayScoringError):
    """Runs that may not be compared, or that miss an evidence rule (exit 4)."""

    exit_code = 4


class BusyError(EssayScoringError):
    """Another live process is doing the same work (exit 5)."""

    exit_code = 5


class NotFiniteError(EssayScoringError):
    """A loss, gradient, feature or prediction that is not a finite number (exit 1)."""

    exit_code = 1


class Interrupted(BaseException):
    """SIGINT or SIGTERM: work stops cleanly. No library takes it for an error or a Ctrl-C."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        super().__init__(signal_number)
