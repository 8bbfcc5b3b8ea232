"""Rows made in worker processes; run as a program it names its workers and then works on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.errors import InputError
from essay_scoring.features.workers import map_essays


def process_ids(texts: Sequence[str]) -> Matrix:
    """The id of the process that made each row, after a while that lets every worker join in."""
    time.sleep(0.05)
    return np.full((len(texts), 1), os.getpid(), dtype=np.float32)


def lengths(texts: Sequence[str]) -> Matrix:
    return np.array([[len(text)] for text in texts], dtype=np.float32)


def refused(texts: Sequence[str]) -> Matrix:
    raise InputError("no row for this", mend="do without")


def death(texts: Sequence[str]) -> Matrix:
    os._exit(9)


def sleeping(texts: Sequence[str]) -> Matrix:
    time.sleep(0.5)
    return lengths(texts)


def main() -> None:
    """Print the workers' ids on one line, then keep them busy for a minute."""
    ids = map_essays(process_ids, ["text"] * 32)
    sys.stdout.write(" ".join(str(int(number)) for number in sorted(set(ids[:, 0]))) + "\n")
    sys.stdout.flush()
    map_essays(sleeping, ["text"] * 480)


if __name__ == "__main__":
    main()
