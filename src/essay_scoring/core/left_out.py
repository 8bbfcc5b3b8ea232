"""Imports without the packages that a library would load beside what is needed of it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from types import ModuleType


class _Refusing:
    """A finder that knows no package of some names, to the thread that made it."""

    def __init__(self, packages: frozenset[str]) -> None:
        self._packages, self._thread = packages, threading.get_ident()

    def find_spec(self, name: str, *_: object) -> None:
        """Leave a module to other finders; ModuleNotFoundError for what is left out."""
        if name in self._packages and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is left out here", name=name)


@contextlib.contextmanager
def left_out(*packages: str) -> Iterator[None]:
    """Let imports of this thread not find some optional packages; one that is loaded stays."""
    finder = _Refusing(frozenset(packages))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextlib.contextmanager
def hollow(name: str, *attributes: str) -> Iterator[None]:
    """Let imports find a module of which nothing is used, with attributes that are None, unread.

    One that is loaded stays; afterwards the module itself can be imported.
    """
    if name in sys.modules:
        yield
        return
    module = ModuleType(name)
    vars(module).update(dict.fromkeys(attributes))
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
