"""Tables of essays to score, read row by row by the rules of all tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import ScoreScales
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.rows import (
    AUTO,
    Fault,
    Faults,
    Row,
    TableFile,
    open_table,
    require_column,
    shown,
)

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
    """A table that was read through: every row of it can be scored."""

    file: TableFile
    columns: Columns

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the file."""
        return self.file.names

    @property
    def n_rows(self) -> int:
        """How many essays there are."""
        return self.file.n_rows

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order."""
        return self.file.rows()

    def essays(self, rows: list[Row]) -> Essays:
        """Return the essays of rows."""
        text, prompt = self._place(self.columns.text), self._place(self.columns.prompt)
        return Essays(
            tuple(f"row {row.number}" for row in rows),
            tuple(row.cells[text] for row in rows),
            tuple(self.file.name(row.cells[prompt]) for row in rows),
        )

    def _place(self, name: str) -> int:
        return self.names.index(name)


def open_input(
    path: Path, columns: Columns, scales: ScoreScales, form: TableFormat = AUTO
) -> InputTable:
    """Return the table of a file once all of it can be scored.

    Raises InputError for the rows that cannot be: it names row, line and column, and says how to
    mend them.
    """
    table = InputTable(open_table(path, form), columns)
    for option in ("text", "prompt", "id"):
        if (name := getattr(columns, option)) is not None:
            require_column(name, table.names, path, f"name the column with --{option}-column")
    _check_rows(table, scales)
    return table


def _check_rows(table: InputTable, scales: ScoreScales) -> None:
    """Raise InputError for the rows that cannot be scored."""
    faults = Faults(table.path)
    for row in table.rows():
        if row.fault is not None:
            faults.add(row, row.fault)
        elif (found := _fault(table, row, scales)) is not None:
            option, fault = found
            faults.add(row, fault, getattr(table.columns, option), _id_of(table, row))
    faults.check()


def _id_of(table: InputTable, row: Row) -> str:
    if table.columns.id is None:
        return ""
    return f", id {shown(row.cells[table.names.index(table.columns.id)])}"


def _fault(table: InputTable, row: Row, scales: ScoreScales) -> tuple[str, Fault] | None:
    """Return in which column something is wrong with a row, and what."""
    essays = table.essays([row])
    [essay], [name] = essays.texts, essays.prompts
    if not any(map(str.isalnum, essay)):
        return "text", Fault("the text is blank", "give the essay's text, or remove the row")
    if len(essay) > MOST_CHARACTERS:
        what = f"the text has {len(essay):,} characters, more than {MOST_CHARACTERS:,}"
        return "text", Fault(what, "check that the cell holds one essay")
    if not name:
        return "prompt", Fault("the prompt is blank", "name the prompt, or remove the row")
    if scales.shared is None and name not in scales.by_prompt:
        what = f"the model has no score scale for the prompt {shown(name)}"
        mend = "use the name it has in training, or train with its scale"
        return "prompt", Fault(what, mend)
    return None
