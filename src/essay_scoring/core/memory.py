"""How much memory this process has held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""What sets the peak back to what is held now (proc_pid_clear_refs(5)), since Linux 4.0."""


def watch_memory() -> Callable[[], float | None]:
    """Return a function that says the most resident memory held since now, in MiB.

    All that the process holds counts, loaded libraries too; its children do not. None where the
    system does not tell, or does not let the peak be set back.
    """
    try:
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return lambda: None
    return _peak


def _peak() -> float | None:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None
