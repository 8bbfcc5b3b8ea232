"""What this process may use of the machine it runs on."""

from __future__ import annotations

import os
from pathlib import Path

_FAST_ALLOCATORS = ("tcmalloc", "jemalloc", "mimalloc")


def cores() -> int:
    """Return the number of processors that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    # Systems without affinity, macOS among them, only tell how many there are.
    return os.cpu_count() or 1


def allocator() -> str:
    """Return who gives this process its memory: "tcmalloc", "jemalloc", "mimalloc" or "system".

    Training on a CPU is slowest under the system's own. "unknown" where that cannot be told.
    """
    try:
        loaded = Path("/proc/self/maps").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    return next((name for name in _FAST_ALLOCATORS if name in loaded), "system")
