"""Tables of essays to score, read row by row: a file of any length takes the same memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import ScoreScales
from essay_scoring.data.rows import (
    Row,
    check_bytes,
    header_names,
    place,
    require_column,
    require_rows,
    rows_of,
    shown,
    width_fault,
)

Encoding = Literal["utf-8", "cp1252", "latin-1"]

MOST_CHARACTERS = 200_000
"""Longer texts are no essays, and the parser's memory grows with them."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called; `id` None where rows are told by number alone."""

    text: str = "text"
    prompt: str = "prompt"
    id: str | None = None


DEFAULT_COLUMNS = Columns()


@dataclass(frozen=True)
class InputTable:
    """A CSV, TSV or Parquet file that was read through once: every row of it can be scored."""

    path: Path
    encoding: Encoding
    names: tuple[str, ...]
    columns: Columns
    n_rows: int
    sha256: str

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order."""
        rows = rows_of(self.path, self.encoding)
        next(rows)
        return rows

    def essays(self, rows: list[Row]) -> Essays:
        """Return the essays of rows."""
        text, prompt = self._place(self.columns.text), self._place(self.columns.prompt)
        return Essays(
            tuple(f"row {row.number}" for row in rows),
            tuple(row.cells[text] for row in rows),
            tuple(row.cells[prompt].strip() for row in rows),
        )

    def _place(self, name: str) -> int:
        return self.names.index(name)


def open_input(
    path: Path, columns: Columns, scales: ScoreScales, encoding: Encoding = "utf-8"
) -> InputTable:
    """Return the table of a .csv, .tsv or .parquet file once all of it can be scored.

    Raises InputError for the first thing that cannot: it names row, line and column, says how to
    mend it, and counts the rows that are like it. UTF-8 may start with a byte order mark; Parquet
    has an encoding of its own.
    """
    _, digest = check_bytes(path, encoding)
    rows = rows_of(path, encoding)
    names = header_names(next(rows).cells, path)
    table = InputTable(path, encoding, names, columns, 0, digest)
    for option in ("text", "prompt", "id"):
        if (name := getattr(columns, option)) is not None:
            require_column(name, names, path, f"name the column with --{option}-column")
    return replace(table, n_rows=_check_rows(table, rows, scales))


def _check_rows(table: InputTable, rows: Iterator[Row], scales: ScoreScales) -> int:
    """Return how many rows there are; InputError for the first that cannot be scored."""
    text, prompt = (table.names.index(name) for name in (table.columns.text, table.columns.prompt))
    first: tuple[Row, tuple[str, str, str]] | None = None
    number = bad = 0
    for row in rows:
        number = row.number
        fault = _fault(row, len(table.names), text, prompt, scales)
        if fault is not None:
            bad += 1
            first = first or (row, fault)
    if first is not None:
        raise _refusal(table, *first, bad)
    require_rows(number, table.path)
    return number


def _fault(
    row: Row, width: int, text: int, prompt: int, scales: ScoreScales
) -> tuple[str, str, str] | None:
    """Return what is wrong with a row, in which column ("" for none), and how to mend it."""
    if uneven := width_fault(row, width):
        return uneven.what, "", uneven.mend
    essay, name = row.cells[text], row.cells[prompt].strip()
    if not any(map(str.isalnum, essay)):
        return "the text is blank", "text", "give the essay's text, or remove the row"
    if len(essay) > MOST_CHARACTERS:
        what = f"the text has {len(essay):,} characters, more than {MOST_CHARACTERS:,}"
        return what, "text", "check that the cell holds one essay"
    if not name:
        return "the prompt is blank", "prompt", "name the prompt, or remove the row"
    if scales.shared is None and name not in scales.by_prompt:
        mend = "use the name it has in training, or train with its scale"
        return f"the model has no score scale for the prompt {shown(name)}", "prompt", mend
    return None


def _refusal(table: InputTable, row: Row, fault: tuple[str, str, str], bad: int) -> InputError:
    what, column, mend = fault
    where = place(table.path, row.number, row.line)
    if column:
        where += f", column '{getattr(table.columns, column)}'"
    if table.columns.id is not None and len(row.cells) == len(table.names):
        where += f", id {shown(row.cells[table.names.index(table.columns.id)])}"
    more = f"; {bad} rows cannot be scored" if bad > 1 else ""
    return InputError(what + more, where=where, mend=mend)
