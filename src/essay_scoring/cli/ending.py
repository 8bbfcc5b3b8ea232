"""How a command's process ends: at once, without taking down what the system frees by itself.

After `score`, Python takes half a second to free its parser, checker and encoder piece by piece.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable


class _Ending:
    """The last thing done before a process ends, where its exit code is known."""

    code: int | None = None

    def __call__(self) -> None:
        """End the process; leave it to Python where output cannot be written, which it tells."""
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):
            return
        logging.shutdown()  # It was registered before this, and would come after it.
        os._exit(self.code)


def end_with(main: Callable[[], object]) -> None:
    """Run what exits with a code, as all that this process does, and end the process with it."""
    ending = _Ending()
    # Called last of what is registered from here on: threads have ended, and others tidied up.
    atexit.register(ending)
    try:
        main()
    except SystemExit as end:
        ending.code = end.code if isinstance(end.code, int) else None
        raise
