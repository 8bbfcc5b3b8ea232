"""A stop signal is never lost: not while native code runs, not while an object is freed."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import PATIENCE

LOST = """
import signal, time, sys
from essay_scoring.core import interrupts
signal.signal(signal.SIGTERM, lambda number, _: interrupts.stop(number))
sys.unraisablehook = interrupts.send_again_if_lost

class Freed:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

try:
    Freed()
    time.sleep(20)
except interrupts.Interrupted as error:
    sys.exit(error.exit_code)
"""
HELD = """
import signal, sys
from essay_scoring.core import interrupts
signal.signal(signal.SIGTERM, lambda number, _: interrupts.stop(number))
asked = []
try:
    with interrupts.held():
        with interrupts.held():
            asked.append(interrupts.stop_asked())
            signal.raise_signal(signal.SIGTERM)
            asked.append(interrupts.stop_asked())
        asked.append("inner ended")
    asked.append("never")
except interrupts.Interrupted as error:
    signal.raise_signal(signal.SIGTERM)  # within the grace of the first
    assert asked == [False, True, "inner ended"], asked
    assert not interrupts.stop_asked()
    sys.exit(error.exit_code)
"""


def outcome(program: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode, done.stderr


def test_a_signal_that_comes_while_an_object_is_freed_is_sent_again() -> None:
    assert outcome(LOST) == (143, "")


def test_held_work_ends_before_the_signal_counts_and_a_second_one_cuts_no_tidying() -> None:
    assert outcome(HELD) == (143, "")
