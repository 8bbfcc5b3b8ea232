"""Spawned processes that never import the program that started them.

Python has a spawned process run the caller's script again, up to its `__main__` guard. Here all
that a process runs lies in modules of its own, so a plain script or a notebook needs no guard.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

_MAIN = ("init_main_from_name", "init_main_from_path")
_LOCK = threading.Lock()


class _Process(SpawnProcess):
    """A process that is started without the main module of this one."""

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 - the name that Python calls
        with _without_main():
            return SpawnProcess._Popen(process_obj)  # noqa: SLF001


class FreshContext(SpawnContext):
    """What `multiprocessing` starts processes with: spawned ones that leave the script alone."""

    Process = _Process


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Leave the main module out of what this thread tells the processes that it starts.

    Python has no setting for it: the function that collects what is told is set aside meanwhile.
    """
    thread = threading.get_ident()
    with _LOCK:
        usual = spawn.get_preparation_data

        def _told(name: str) -> dict[str, Any]:
            data = usual(name)
            if threading.get_ident() == thread:
                data = {key: value for key, value in data.items() if key not in _MAIN}
                # A worker of joblib was started in a way that a plain process does not know.
                data["start_method"] = "spawn"
            return data

        spawn.get_preparation_data = _told
        try:
            yield
        finally:
            spawn.get_preparation_data = usual
