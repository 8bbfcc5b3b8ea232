"""When a stop signal ends work: at once, or as soon as native code that must not be cut returns.

XGBoost and CatBoost call Python from C. An exception that a signal handler raises inside such a
call is lost, or leaves the C side with memory it believes filled.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from essay_scoring.core.errors import Interrupted

GRACE_SECONDS = 5.0
"""For so long a further signal does not cut short what the first one tidies up."""

_SEND_AGAIN_SECONDS = 0.05


class _Holds:
    depth = 0
    signal_number: int | None = None
    last_raised = -GRACE_SECONDS


def stop(signal_number: int) -> None:
    """Raise Interrupted, or note the signal while work is held; what a signal handler calls.

    A signal within GRACE_SECONDS of the last is taken for the same one.
    """
    if time.monotonic() - _Holds.last_raised < GRACE_SECONDS:
        return
    if _Holds.depth:
        _Holds.signal_number = signal_number
    else:
        _raise(signal_number)


def send_again_if_lost(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose Interrupted was raised where Python drops it; an unraisable hook.

    That is while an object is freed, or in a callback from C.
    """
    if not isinstance(lost.exc_value, Interrupted):
        sys.__unraisablehook__(lost)
        return
    _Holds.last_raised = -GRACE_SECONDS
    number = lost.exc_value.signal_number
    again = threading.Timer(_SEND_AGAIN_SECONDS, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


def stop_asked() -> bool:
    """Return whether a signal came while work is held: time to leave the native loop."""
    return _Holds.signal_number is not None


@contextmanager
def held() -> Iterator[None]:
    """Put off stop signals until the block ends, which then raises Interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only.
        return
    _Holds.depth += 1
    try:
        yield
    finally:
        _Holds.depth -= 1
        number = _Holds.signal_number
        if number is not None and not _Holds.depth:
            _Holds.signal_number = None
            _raise(number)


def _raise(signal_number: int) -> None:
    _Holds.last_raised = time.monotonic()
    raise Interrupted(signal_number)
