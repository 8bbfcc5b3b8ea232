"""Progress for people: one line kept true on a terminal, lines now and then elsewhere; on stderr.

`step 3 of 7, candidate ridge, cross-validation: 2/5 fits, about 40 s left`
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable
from typing import TextIO

from essay_scoring.core.progress import Progress, ProgressEvent

_FIRST_LINE, _LATEST_LINE = 10.0, 300.0
"""Seconds to a stage's first line, doubled for each further one, and the most there can be."""

_SHORT_SECONDS = 1.0
_SETTLED_SECONDS = 0.5
"""What is done so soon was there already: it says nothing of how long the rest takes."""

Clock = Callable[[], float]


def progress_display() -> Progress:
    """Return a Progress that shows itself in the way that fits where stderr goes."""
    return Progress(TerminalBar() if sys.stderr.isatty() else PlainLines())


class StageClock:
    """How long the stage at hand has run, and about how long it still takes."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock, self._stage = clock, ""
        self._began = self._since = 0.0
        self._before = 0

    def hear(self, event: ProgressEvent) -> bool:
        """Take note of an event; tell whether it is the first of its stage."""
        now, stage = self._clock(), heading(event)
        fresh = stage != self._stage
        if fresh:
            self._stage, self._began = stage, now
        if fresh or now - self._began < _SETTLED_SECONDS:
            self._since, self._before = now, event.done
        if event.done >= event.total:
            self._stage = ""
        return fresh

    @property
    def seconds(self) -> float:
        """Return how long the stage has run."""
        return self._clock() - self._began

    def left(self, event: ProgressEvent) -> float | None:
        """Return about how many seconds are left; None while nothing tells, and at the end."""
        done, took = event.done - self._before, self._clock() - self._since
        if done <= 0 or took <= 0 or event.done >= event.total:
            return None
        return took / done * (event.total - event.done)


class PlainLines:
    """A line after ten seconds of a stage, then ever rarer, and one when it ends.

    There is none for stages of a second.
    """

    def __init__(self, stream: TextIO | None = None, clock: Clock = time.monotonic) -> None:
        self._stream, self._clock = stream, StageClock(clock)
        self._next = self._wait = _FIRST_LINE

    def __call__(self, event: ProgressEvent) -> None:
        """Write a line if it is time for one."""
        if self._clock.hear(event):
            self._next = self._wait = _FIRST_LINE
        seconds = self._clock.seconds
        if event.done >= event.total:
            if seconds > _SHORT_SECONDS:
                self._write(f"{counted(event)}, in {duration(seconds)}")
        elif seconds >= self._next:
            self._wait = min(2 * self._wait, _LATEST_LINE)
            self._next = seconds + self._wait
            self._write(line_of(event, self._clock.left(event)))

    def _write(self, line: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(f"{line}\n")
        stream.flush()


class TerminalBar:
    """The same line for the stage at hand, with a bar; removed when the stage ends."""

    def __init__(self, stream: TextIO | None = None, clock: Clock = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True) if stream is None else Console(file=stream)
        self._clock = StageClock(clock)
        self._bars = Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        # A bar cut short by Ctrl-C or an error must give the cursor back.
        atexit.register(self._bars.stop)

    def __call__(self, event: ProgressEvent) -> None:
        """Move the bar."""
        if self._clock.hear(event):
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
            self._bars.start()
            self._bars.add_task("", total=event.total)
        line = line_of(event, self._clock.left(event))
        self._bars.update(self._bars.task_ids[-1], completed=event.done, description=line)
        if event.done >= event.total:
            self._bars.stop()


def line_of(event: ProgressEvent, left: float | None) -> str:
    """Return which step of how many, what, how far, and about how long it still takes."""
    told = "" if left is None else f", about {duration(left)} left"
    return f"{counted(event)}{told}"


def counted(event: ProgressEvent) -> str:
    """Return which step of how many, what, and how far."""
    return f"{heading(event)}: {event.done}/{event.total} {event.unit}"


def heading(event: ProgressEvent) -> str:
    """Return which step of how many, and what."""
    step = event.step
    if step is None:
        return event.stage
    named = [] if event.stage.startswith(step.name) else [step.name]
    return ", ".join([f"step {step.number} of {step.total}", *named, event.stage])


def duration(seconds: float) -> str:
    """Return a duration as people say it: 40 s, 3 min, 2 h."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 95:
        return f"{10 * round(seconds / 10)} s"
    if seconds < 95 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"
