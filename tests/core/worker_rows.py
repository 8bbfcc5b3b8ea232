"""Work for worker processes, and a program that names its workers and then works on."""

from __future__ import annotations

import os
import sys
import time

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.worker_pool import WORKERS_VARIABLE, map_parts, worker_count


def process_id(text: str) -> int:
    """The id of the process that ran this, after a while that lets every worker join in."""
    time.sleep(0.05)
    return os.getpid()


def workers_within(text: str) -> int:
    return worker_count()


def shared_out(text: str) -> tuple[int, list[int]]:
    """Return how many workers there are where two are asked for, and what they return."""
    os.environ[WORKERS_VARIABLE] = "2"
    return worker_count(), [*map_parts(len, [text, text])]


def refused(text: str) -> int:
    raise InputError("no row for this", mend="do without")


def lacking(text: str) -> int:
    raise MissingExtraError("some-package", "some")


def death(text: str) -> int:
    os._exit(9)


def sleeping(text: str) -> int:
    time.sleep(0.5)
    return len(text)


def main() -> None:
    """Print the workers' ids on one line, then keep them busy for a minute."""
    ids = {*map_parts(process_id, ["text"] * 32)}
    sys.stdout.write(" ".join(map(str, sorted(ids))) + "\n")
    sys.stdout.flush()
    list(map_parts(sleeping, ["text"] * 240))
