"""Progress for people: a bar on a terminal, plain lines elsewhere. Both go to stderr."""

from __future__ import annotations

import atexit
import sys
import time

from essay_scoring.core.progress import Progress, ProgressEvent

_LINE_SECONDS = 10.0
_SHORT_SECONDS = 1.0


def progress_display() -> Progress:
    """Return a Progress that shows itself in the way that fits where stderr goes."""
    return Progress(TerminalBar() if sys.stderr.isatty() else PlainLines())


class PlainLines:
    """A line every ten seconds of a stage and one when it ends; none for stages of a second."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = self._last = 0.0

    def __call__(self, event: ProgressEvent) -> None:
        """Write a line if it is time for one."""
        now = time.monotonic()
        if event.stage != self._stage:
            self._stage, self._began, self._last = event.stage, now, now
        ends = event.done >= event.total
        if now - self._last < _LINE_SECONDS and not (ends and now - self._began > _SHORT_SECONDS):
            return
        self._last = now
        sys.stderr.write(f"{event.stage}: {event.done}/{event.total} {event.unit}\n")
        sys.stderr.flush()


class TerminalBar:
    """A bar for the stage at hand, removed when the stage ends."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._stage = ""
        # A bar cut short by Ctrl-C or an error must give the cursor back.
        atexit.register(self._bars.stop)

    def __call__(self, event: ProgressEvent) -> None:
        """Move the bar."""
        if event.stage != self._stage:
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
            self._bars.start()
            self._bars.add_task(event.stage, total=event.total, unit=event.unit)
            self._stage = event.stage
        self._bars.update(self._bars.task_ids[-1], completed=event.done)
        if event.done >= event.total:
            self._bars.stop()
            self._stage = ""
