"""Tables of essays to score, read row by row: a file of any length takes the same memory."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.scale import ScoreScales
from essay_scoring.data.parquet import open_parquet, text_cells
from essay_scoring.data.tables import require_file, shown

Encoding = Literal["utf-8", "cp1252", "latin-1"]

MOST_CHARACTERS = 200_000
"""Longer texts are no essays, and the parser's memory grows with them."""

PARQUET = ".parquet"
"""The ending of Parquet files."""

BATCH_ROWS = 1024
"""Rows of a Parquet file that are in memory at a time."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_MOST_IN_A_CELL = 4_000_000


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called; `id` None where rows are told by number alone."""

    text: str = "text"
    prompt: str = "prompt"
    id: str | None = None


DEFAULT_COLUMNS = Columns()


@dataclass(frozen=True)
class Row:
    """One row: its number, from 1 below the header, the line it starts on if any, its cells."""

    number: int
    line: int | None
    cells: tuple[str, ...]


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
        rows = _rows(self.path, self.encoding)
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
    suffix = path.suffix.lower()
    if suffix not in (*_DELIMITERS, PARQUET):
        raise InputError(
            f"the file type '{path.suffix}' cannot be scored",
            where=str(path),
            mend="save the table as .csv, .tsv or .parquet",
        )
    require_file(path)
    digest = file_sha256(path) if suffix == PARQUET else _check_bytes(path, encoding)
    rows = _rows(path, encoding)
    first = next(rows, None)
    if first is None:
        raise InputError("the file is empty", where=str(path), mend="export the table again")
    names = tuple(cell.strip() for cell in first.cells)
    table = InputTable(path, encoding, names, columns, 0, digest)
    _check_header(table)
    n_rows = _check_rows(table, rows, scales)
    return InputTable(path, encoding, names, columns, n_rows, digest)


def _check_bytes(path: Path, encoding: Encoding) -> str:
    """Return the sha256 of a file; InputError for the first line that is not in the encoding."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            digest.update(line)
            if b"\0" in line:
                raise InputError(
                    "there is a NUL byte",
                    where=f"{path}, line {number}",
                    mend="save the file as UTF-8 (UTF-16 looks like this), or remove the byte",
                )
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"byte 0x{line[error.start]:02x} is not {encoding}",
                    where=f"{path}, line {number}",
                    mend="name the file's encoding with --encoding, or save the file as UTF-8",
                ) from None
    return digest.hexdigest()


def _rows(path: Path, encoding: Encoding) -> Iterator[Row]:
    """Yield the header as number 0, then every row; InputError where the file is not whole."""
    return _parquet_rows(path) if path.suffix.lower() == PARQUET else _text_rows(path, encoding)


def _parquet_rows(path: Path) -> Iterator[Row]:
    """Yield rows of cells as text; InputError for a column that cannot be text."""
    with open_parquet(path) as file:
        names = tuple(file.schema_arrow.names)
        yield Row(0, None, names)
        before = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            columns = [
                text_cells(column, f"{path}, column '{name}'", before)
                for name, column in zip(names, batch.columns, strict=True)
            ]
            for number, cells in enumerate(zip(*columns, strict=True), start=before + 1):
                yield Row(number, None, cells)
            before += batch.num_rows


def _text_rows(path: Path, encoding: Encoding) -> Iterator[Row]:
    """Yield every row with a cell; InputError for broken quoting."""
    csv.field_size_limit(_MOST_IN_A_CELL)
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open(encoding=codec, newline="") as stream:
        reader = csv.reader(stream, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
        number, line = 0, 1
        try:
            for cells in reader:
                if cells:
                    yield Row(number, line, tuple(cells))
                    number += 1
                line = reader.line_num + 1
        except csv.Error:
            raise InputError(
                "the quoting is broken here",
                where=f"{path}, row {number} (line {line})",
                mend='put quotes around the whole cell and double those inside it ("")',
            ) from None


def _check_header(table: InputTable) -> None:
    """Raise InputError for a column that is missing or there twice."""
    names, columns = table.names, table.columns
    asked = {"text": columns.text, "prompt": columns.prompt}
    if columns.id is not None:
        asked["id"] = columns.id
    for option, name in asked.items():
        if name not in names:
            there = ", ".join(shown(other) for other in names[:40])
            raise InputError(
                f"there is no column '{name}'; the columns are {there}",
                where=str(table.path),
                mend=f"name the column with --{option}-column",
            )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"the column {shown(twice[0])} is there {names.count(twice[0])} times",
            where=f"{table.path}, header row",
            mend="rename or remove all but one",
        )


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
    if not number:
        raise InputError(
            "there is a header but no rows below it",
            where=str(table.path),
            mend="export the table again",
        )
    return number


def _fault(
    row: Row, width: int, text: int, prompt: int, scales: ScoreScales
) -> tuple[str, str, str] | None:
    """Return what is wrong with a row, in which column ("" for none), and how to mend it."""
    if len(row.cells) != width:
        what = f"the row has {len(row.cells)} cells but the header has {width}"
        return what, "", "quote every cell that holds a delimiter, a quote or a line break"
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
    where = f"{table.path}, row {row.number}" + (f" (line {row.line})" if row.line else "")
    if column:
        where += f", column '{getattr(table.columns, column)}'"
    if table.columns.id is not None and len(row.cells) == len(table.names):
        where += f", id {shown(row.cells[table.names.index(table.columns.id)])}"
    more = f"; {bad} rows cannot be scored" if bad > 1 else ""
    return InputError(what + more, where=where, mend=mend)
