"""What this process may use of the machine it runs on."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the number of processors that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    # Systems without affinity, macOS among them, only tell how many there are.
    return os.cpu_count() or 1
