"""Columns that were made elsewhere: numbers from tables, found by the essays' ids."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from essay_scoring.core.contracts import Columns, JsonObject, Matrix
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.scale import FloatArray
from essay_scoring.core.text import name_key
from essay_scoring.data.cells import MISSING, id_cells, number_cells
from essay_scoring.data.rows import require_file, shown
from essay_scoring.data.tables import Table, read_table
from essay_scoring.features.feature_settings import FeatureSettings, ImportedTable

NAME = "imported"
NO_FEATURES = ("prompt", "fold", "y_true")
"""Columns of an exported table that are read only where they are named: they give scores away."""

TABLES = "tables_sha256"
"""Of a block's identity: other essays may be scored with other tables of the same columns."""

_FEW = 3


class ImportedBlock:
    """The columns of every table, in order, of essays by their ids; NaN where a cell is missing.

    Unlike other blocks it tells essays apart by id, not by text, and nothing of it is stored.
    """

    name = feature_set = NAME
    reads_prompt = False

    @classmethod
    def of(cls, settings: FeatureSettings, _cache: Path) -> Self:
        """Return the block of the settings' tables."""
        return cls(settings.imported)

    def __init__(self, tables: Sequence[ImportedTable]) -> None:
        self._tables = [_numbers(table, _digest(table)) for table in tables]
        self.column_names = tuple(name for table in self._tables for name in table.names)
        _require_apart(self.column_names, tables[-1].path)

    @property
    def identity(self) -> JsonObject:
        """All that changes a value: the bytes of the tables, and how they are read."""
        return {
            "version": 1,
            "columns": [list(table.settings.columns) for table in self._tables],
            "labels": [list(table.settings.labels) for table in self._tables],
            "prefixes": [table.settings.prefix for table in self._tables],
            TABLES: [table.settings.sha256 for table in self._tables],
        }

    def require(self, ids: Sequence[str]) -> None:
        """Raise InputError, naming the first ids, where a table lacks rows."""
        for table in self._tables:
            table.require(ids)

    def columns(self, essays: Essays) -> Columns:
        """Return one row per essay; InputError as `require` raises it."""
        self.require(essays.ids)
        parts = [table.rows_of(essays.ids) for table in self._tables]
        return Columns(self.column_names, np.concatenate(parts, axis=1))


@dataclass(frozen=True, eq=False)
class _Numbers:
    """A table as it was read: `names` with their prefix, `values` (rows, names), rows by id.

    `settings` are those of the table, with the columns and the hash that it has.
    """

    settings: ImportedTable
    names: tuple[str, ...]
    values: Matrix
    row: dict[str, int]

    def require(self, ids: Sequence[str]) -> None:
        """Raise InputError unless every essay has a row."""
        lacking = [essay for essay in dict.fromkeys(ids) if essay not in self.row]
        if lacking:
            first = ", ".join(map(shown, lacking[:_FEW]))
            more = "" if len(lacking) <= _FEW else ", ..."
            raise InputError(
                f"there are no imported columns for {len(lacking)} of {len(set(ids))} essays: "
                f"{first}{more}",
                where=f"{self.settings.path}, column '{self.settings.id}'",
                mend="add their rows, or name the column of the essays' ids",
            )

    def rows_of(self, ids: Sequence[str]) -> Matrix:
        """Return the rows of essays (n, names)."""
        return self.values[np.array([self.row[essay] for essay in ids], dtype=np.int64)]


def located(settings: FeatureSettings, folder: Path) -> FeatureSettings:
    """Return settings whose tables lie where they are, below a data folder."""
    return _with_tables(
        settings,
        [t.model_copy(update={"path": str(folder / t.path)}) for t in settings.imported],
    )


def pinned(settings: FeatureSettings, folder: Path) -> FeatureSettings:
    """Return settings that hold each table to the bytes that it has now, below a data folder."""
    return _with_tables(
        settings,
        [
            t.model_copy(update={"sha256": t.sha256 or file_sha256(require_file(folder / t.path))})
            for t in settings.imported
        ],
    )


def _with_tables(settings: FeatureSettings, tables: list[ImportedTable]) -> FeatureSettings:
    return settings.model_copy(update={"imported": tuple(tables)}) if tables else settings


def _digest(table: ImportedTable) -> str:
    """Return the hash of a table's file; InputError where it is not the one that settings name."""
    digest = file_sha256(require_file(Path(table.path)))
    if table.sha256 not in (None, digest):
        raise InputError(
            f"not the table that was read before: its sha256 is {digest}",
            where=table.path,
            mend=f"restore the table of sha256 {table.sha256}, or take the hash out of "
            "features.imported",
        )
    return digest


@functools.lru_cache(maxsize=8)
def _numbers(settings: ImportedTable, digest: str) -> _Numbers:
    """Read a table once a process; InputError names what is no number, and no row twice."""
    table = read_table(Path(settings.path), settings)
    ids = id_cells(table, settings.id)
    names = settings.columns or _features(table, settings.id)
    values = [_column(table, name, settings.labels) for name in names]
    table.check()
    held = settings.model_copy(update={"columns": names, "sha256": digest})
    matrix = np.stack(values, axis=1).astype(np.float32)
    row = {essay: at for at, essay in enumerate(ids)}
    return _Numbers(held, tuple(settings.prefix + name for name in names), matrix, row)


def _features(table: Table, column: str) -> tuple[str, ...]:
    names = tuple(name for name in table.names if name not in (column, *NO_FEATURES))
    if not names:
        raise InputError(
            f"there is no column beside '{column}'", where=str(table.path), mend="add columns"
        )
    return names


def _column(table: Table, name: str, labels: Sequence[str]) -> FloatArray:
    """Return the numbers of a column, or the places of its labels from 1, NaN where missing."""
    mend = "name columns that are there in features.imported"
    cells = [cell.strip() for cell in table.column(name, mend)]
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    place = {name_key(label): at for at, label in enumerate(labels, 1)}
    if filled and place.keys() >= set(map(name_key, set(filled))):
        return np.array([place.get(name_key(cell), np.nan) for cell in cells])
    values = number_cells(table, name)
    if filled and np.isnan(values).all():
        raise _no_numbers(table, name, filled)
    return values


def _no_numbers(table: Table, name: str, filled: Sequence[str]) -> InputError:
    words = sorted(set(filled))
    few = len(words) <= 12
    told = ", ".join(map(shown, words)) if few else f"{len(words)} different texts"
    return InputError(
        f"the column holds no numbers: {told}",
        where=f"{table.path}, column '{name}'",
        mend="name its words in ascending order with labels, or the columns to read with columns, "
        "in features.imported",
    )


def _require_apart(names: Sequence[str], where: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"two tables have a column '{twice}'", where=where, mend="give one of them a prefix"
        )
