"""How far long work has come, told to whoever listens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedStep:
    """A step of work that was planned: its `number`, from 1, of `total`, and its name."""

    number: int
    total: int
    name: str


@dataclass(frozen=True)
class ProgressEvent:
    """`done` of `total` units of `stage`, a part of `step`; `unit` names what is counted."""

    stage: str
    done: int
    total: int
    unit: str
    step: PlannedStep | None = None


Listener = Callable[[ProgressEvent], None]

BeginStep = Callable[[str | None], None]
"""Begins the next planned step by its name; None passes over one that is not needed."""


class Progress:
    """Tells every listener of each step; without listeners it is silent."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = list(listeners)
        self._planned = False
        self._step: PlannedStep | None = None

    @contextlib.contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Tell a listener of every step in the `with` block, and of none after it."""
        self.listeners.append(listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)

    @contextlib.contextmanager
    def planned(self, total: int) -> Iterator[BeginStep]:
        """Open work of `total` steps; yield what begins each.

        Work that is planned within a step is part of it: only the outermost steps are counted.
        """
        if self._planned:
            yield _begin_nothing
            return
        number = 0

        def begin(name: str | None) -> None:
            nonlocal number
            number += 1
            self._step = None if name is None else PlannedStep(min(number, total), total, name)

        self._planned = True
        try:
            yield begin
        finally:
            self._planned, self._step = False, None

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str = "essays") -> Iterator[Callable[[int], None]]:
        """Open a stage of `total` units; yield a function to call with each number just done."""
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._tell(ProgressEvent(name, done, total, unit, self._step))

        advance(0)
        yield advance

    def _tell(self, event: ProgressEvent) -> None:
        for listener in self.listeners:
            listener(event)


def _begin_nothing(_: str | None) -> None:
    """Begin no step of its own: a step of the work around it is under way."""
