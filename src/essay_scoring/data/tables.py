"""Whole tables of text cells, read strictly, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.rows import AUTO, Fault, Faults, ReadFile, Row, open_table, require_column


@dataclass(frozen=True, eq=False)
class Table(ReadFile):
    """A table of rows that have as many cells as the header.

    What is wrong with rows and cells is noted in `faults`; `check` raises InputError for all of it.
    """

    rows: tuple[Row, ...] = field(repr=False)
    faults: Faults = field(repr=False)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def column(self, name: str, mend: str | None = None) -> list[str]:
        """Return the cells of a column, "" where empty; raise InputError if there is none."""
        hint = (
            "name an existing column, or check the header row and the separator (separator says it)"
        )
        at = require_column(name, self.names, self.path, mend or hint)
        return [row.cells[at] for row in self.rows]

    def fault(self, row: int, what: str, mend: str, column: str | None = None) -> None:
        """Note what is wrong with a row, counted from 0 here."""
        self.faults.add(self.rows[row], Fault(what, mend), column)

    def check(self) -> None:
        """Raise InputError for the faults that were noted, the first 20."""
        self.faults.check()


def read_table(path: Path, form: TableFormat = AUTO) -> Table:
    """Return the table of a file; InputError for one that is not whole (`open_table`)."""
    file, faults = open_table(path, form), Faults(path)
    rows = []
    for row in file.rows():
        if row.fault is None:
            rows.append(row)
        else:
            faults.add(row, row.fault)
    if not rows:
        faults.check()
    return Table(file, tuple(rows), faults)
