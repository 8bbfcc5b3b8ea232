"""Whole tables of text cells from CSV, TSV and Parquet files, read strictly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.data.parquet import open_parquet, text_cells
from essay_scoring.data.rows import (
    Encoding,
    check_bytes,
    header_names,
    is_parquet,
    place,
    require_column,
    require_rows,
    rows_of,
    width_fault,
)


@dataclass(frozen=True, eq=False)
class Table:
    """A table of `n_rows` rows; `lines` has the line each row starts on (empty for Parquet).

    `encoding` is the one the file was read with; `read` returns the cells of a column's position.
    """

    path: Path
    names: tuple[str, ...]
    n_rows: int
    encoding: str
    lines: tuple[int, ...] = field(repr=False)
    read: Callable[[int], list[str]] = field(repr=False)

    def column(self, name: str) -> list[str]:
        """Return the cells of a column, "" where empty; raise InputError if there is none."""
        mend = (
            "name an existing column, or check the header row and the delimiter"
            " (comma in .csv, tab in .tsv)"
        )
        return self.read(require_column(name, self.names, self.path, mend))

    def where(self, row: int, column: str | None = None) -> str:
        """Return the place of a row (counted from 0 here, from 1 in the message) for an error."""
        at = place(self.path, row + 1, self.lines[row] if self.lines else None)
        return at if column is None else f"{at}, column '{column}'"


def read_table(path: Path, *, encoding: Encoding = "auto") -> Table:
    """Return the table of a .csv, .tsv or .parquet file; InputError for any that is not whole."""
    if is_parquet(path):
        return _read_parquet(path)
    used, _ = check_bytes(path, encoding)
    header, *rows = rows_of(path, used)
    names = header_names(header.cells, path)
    require_rows(len(rows), path)
    for row in rows:
        if fault := width_fault(row, len(names)):
            raise InputError(fault.what, where=place(path, row.number, row.line), mend=fault.mend)
    lines = tuple(row.line for row in rows if row.line is not None)
    return Table(
        path, names, len(rows), used, lines, lambda position: [row.cells[position] for row in rows]
    )


def _read_parquet(path: Path) -> Table:
    """Return the table of a Parquet file; its columns become text when they are asked for."""
    with open_parquet(path) as file:
        names = header_names(file.schema_arrow.names, path)
        frame = file.read()
    require_rows(frame.num_rows, path)

    def cells(position: int) -> list[str]:
        return text_cells(frame.column(position), f"{path}, column '{names[position]}'")

    return Table(path, names, frame.num_rows, "parquet", (), cells)
