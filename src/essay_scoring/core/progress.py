"""How far long work has come, told to whoever listens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgressEvent:
    """`done` of `total` units of `stage`; `unit` names what is counted."""

    stage: str
    done: int
    total: int
    unit: str


Listener = Callable[[ProgressEvent], None]


class Progress:
    """Tells every listener of each step; without listeners it is silent."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = list(listeners)

    @contextlib.contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Tell a listener of every step in the `with` block, and of none after it."""
        self.listeners.append(listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str = "essays") -> Iterator[Callable[[int], None]]:
        """Open a stage of `total` units; yield a function to call with each number just done."""
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._tell(ProgressEvent(name, done, total, unit))

        advance(0)
        yield advance

    def _tell(self, event: ProgressEvent) -> None:
        for listener in self.listeners:
            listener(event)
