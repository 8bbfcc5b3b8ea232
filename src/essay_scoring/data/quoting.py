"""Rows that vanish: a quote that opens a cell in one row and is closed in a later one.

In a table that was written without quoting, such a cell takes the rows between into itself, and the
essay gets its neighbour's text and score. What gives it away is that every line of the cell is a
row of the table by itself: it has all cells, and those beside the quoted ones look like the others
of their columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from essay_scoring.data.row_sources import SourceRow

_MOST_VALUES, _LONGEST, _MOST_KEPT = 64, 80, 1000


@dataclass
class _Column:
    """What the cells of a column have in common: numbers, words with digits, or few values."""

    numbers: bool = True
    codes: bool = True
    values: set[str] | None = field(default_factory=set)
    n: int = 0

    def add(self, cell: str) -> None:
        self.n += 1
        self.numbers = self.numbers and _is_number(cell)
        self.codes = self.codes and _is_code(cell)
        if self.values is not None:
            self.values.add(cell[:_LONGEST])
            if len(self.values) > _MOST_VALUES or len(cell) >= _LONGEST:
                self.values = None

    @property
    def tells(self) -> bool:
        """Whether there is anything that its cells have in common."""
        return self.n > 0 and (self.numbers or self.codes or self._closed)

    @property
    def _closed(self) -> bool:
        return self.values is not None and self.n >= 2 * len(self.values)

    def fits(self, cell: str) -> bool:
        """Tell whether a cell could be of this column."""
        if not self.n:
            return True
        if self.numbers:
            return _is_number(cell)
        if self._closed and self.values is not None:
            return cell in self.values
        return not self.codes or _is_code(cell)


class SwallowedRows:
    """Finds the first record whose lines are rows of a table of so many columns."""

    def __init__(self, width: int, separator: str) -> None:
        self._separator = separator
        self._columns = [_Column() for _ in range(width)]
        self._suspects: list[tuple[SourceRow, int, list[list[str]]]] = []

    def look(self, number: int, record: SourceRow) -> None:
        """Take in the next record, the row of that number."""
        if len(record.lines) > 1 and len(self._suspects) < _MOST_KEPT:
            rows = [line.rstrip("\r\n").split(self._separator) for line in record.lines]
            if len(rows[0]) > 1 and all(len(row) == len(self._columns) for row in rows):
                self._suspects.append((record, number, rows))

    def first(self, again: Iterable[tuple[int, SourceRow]]) -> tuple[SourceRow, int, int] | None:
        """Return the first record that holds others, its number, and how many lines it has.

        Only where there are suspects is the table gone through `again`, for what its columns hold.
        """
        suspected = {number for _, number, _ in self._suspects}
        if suspected:
            self._learn(record for number, record in again if number not in suspected)
        for record, number, rows in self._suspects:
            opens = [at for at, cell in enumerate(rows[0]) if cell.lstrip().startswith('"')]
            others = [at for at in range(len(self._columns)) if at not in opens[-1:]]
            tells = any(self._columns[at].tells for at in others) or self._separator == "\t"
            if tells and all(
                self._columns[at].fits(_bare(row[at])) for row in rows for at in others
            ):
                return record, number, len(rows)
        return None

    def _learn(self, records: Iterable[SourceRow]) -> None:
        for record in records:
            for column, cell in zip(self._columns, record.cells, strict=False):
                column.add(cell.strip())


def _bare(cell: str) -> str:
    return cell.strip().strip('"').strip()


def _is_code(cell: str) -> bool:
    """Tell whether a cell is one word with a digit, as ids are and words of an essay are not."""
    return len(cell.split()) == 1 and any(map(str.isdigit, cell))


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell.replace(",", ".", 1)))
    except ValueError:
        return False
