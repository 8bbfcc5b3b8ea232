"""Where an estimator's columns come from: numbers that are given, or blocks that read texts."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np

from essay_scoring.core.contracts import Columns, ColumnSource, Matrix
from essay_scoring.core.errors import ArgumentError
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable
from essay_scoring.records.workspace import Workspace


class GivenColumns:
    """A `ColumnSource` of the numbers that this thread gave last; an essay's id is its row."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, names: tuple[str, ...], values: Matrix) -> None:
        """Serve these columns (n, names) from now on."""
        self._given.columns = Columns(names, values)

    def __call__(self, essays: Essays) -> Columns:
        """Return the rows of these essays."""
        columns: Columns = self._given.columns
        return columns.take(np.array([int(row) for row in essays.ids], dtype=np.int64))


def text_columns(settings: FeatureSettings, cache: Path | None) -> ColumnSource:
    """Return what reads the columns of texts, each text once; None keeps them for this process.

    Raises ArgumentError for imported columns, which are found by ids that texts do not have.
    """
    if settings.imported:
        raise ArgumentError(
            "texts have no ids, by which imported columns are found",
            where="features",
            mend="give the columns themselves as X, or use the command line",
        )
    folder = _own_cache() if cache is None else cache
    space = Workspace(folder, folder, folder)
    return FeatureTable(settings, FeatureStore(space.features), space.encoders, Progress())


@functools.cache
def _own_cache() -> Path:
    """Return a folder that goes with this process: hashes and numbers, no text."""
    folder = tempfile.mkdtemp(prefix="essay-scoring-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
