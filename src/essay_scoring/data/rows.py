"""The rows of tables in files, one by one, and the rules that all tables keep.

Corpora, imported predictions and essays to score are read by these rules alone, from CSV and TSV,
JSON lines (all three also as .gz), Excel and Parquet. A file of any length takes the same memory,
and an error names its place and shows no more than a few characters of a cell.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.spreadsheets import bare_cell
from essay_scoring.core.text import plain_name
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.parquet import BATCH_ROWS
from essay_scoring.data.quoting import SwallowedRows
from essay_scoring.data.row_sources import (
    JSONL,
    MOST_TITLES,
    PARQUET,
    FileLayout,
    SourceRow,
    find_layout,
    records_of,
    table_kind,
)

__all__ = [
    "BATCH_ROWS",
    "PARQUET",
    "Fault",
    "Faults",
    "ReadFile",
    "Row",
    "TableFile",
    "open_table",
    "place",
    "require_column",
    "require_file",
    "shown",
]

AUTO = TableFormat()
_log = logging.getLogger(__name__)
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
_LONGEST_NAME = 80
_WORD = re.compile(r"[!-~]{1,40}")
_FEW, _SHORT, _LONG = 6, 11, 40
_LISTED, _KEPT = 20, 10_000


class Fault(NamedTuple):
    """What is wrong with a row, and how to mend it."""

    what: str
    mend: str


@dataclass(frozen=True)
class Row:
    """One row: its number, from 1 below the header, the line it starts on if any, its cells.

    `fault` is set where it has not as many cells as the header.
    """

    number: int
    line: int | None
    cells: tuple[str, ...]
    fault: Fault | None = None


@dataclass(frozen=True)
class TableFile:
    """A table that was read through once: its columns, the number of its rows, and how it is read.

    Columns without a name and without a cell are left out, as are rows without a cell. `decimal` is
    what stands before a fraction, `auto` where a column's own cells tell.
    """

    path: Path
    layout: FileLayout
    sha256: str
    names: tuple[str, ...]
    decimal: str
    n_rows: int
    _kept: tuple[int, ...]
    _width: int

    @property
    def encoding(self) -> str:
        """The encoding that the text is read in, or the kind of a file that has its own."""
        return self.layout.encoding

    def bare(self, cell: str) -> str:
        """Return a cell that holds a name as it was written.

        The apostrophe goes by which this product's own files make text of what a spreadsheet would
        take for a formula.
        """
        is_bare = self.layout.kind in (PARQUET, JSONL)
        return cell.strip() if is_bare else bare_cell(cell.strip())

    def name(self, cell: str) -> str:
        """Return a cell that holds a name, in one form."""
        return plain_name(self.bare(cell))

    def rows(self) -> Iterator[Row]:
        """Yield every row."""
        rows = _numbered(self.path, self.layout)
        next(rows)
        for number, record in rows:
            yield self._row(number, record)

    def _row(self, number: int, record: SourceRow) -> Row:
        cells, extra = record.cells, record.cells[self._width :]
        missing = range(len(cells), self._width)
        if any(extra) or not set(missing).isdisjoint(self._kept):
            what = f"the row has {len(cells)} cells but the header has {self._width}"
            mend = (
                "quote every cell that holds a separator, a quote or a line break, or set "
                "quoting = 'none' where quotes are part of the text"
            )
            return Row(number, record.line, cells, Fault(what, mend))
        if len(self._kept) == len(cells):
            return Row(number, record.line, cells)
        return Row(number, record.line, tuple(cells[at] for at in self._kept))


@dataclass(frozen=True, eq=False)
class ReadFile:
    """What is made of a table: the file, where it lies, and its columns."""

    file: TableFile

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.file.names


class Faults:
    """What is wrong with the rows of one file, told at once."""

    def __init__(self, path: Path) -> None:
        self._path, self._count = path, 0
        self._found: list[tuple[int, str, Fault]] = []

    def add(self, row: Row, fault: Fault, column: str | None = None, note: str = "") -> None:
        """Note a fault of a row, in a column if it is of one cell."""
        where = place(self._path, row.number, row.line)
        self._count += 1
        if len(self._found) < _KEPT:
            at = where if column is None else f"{where}, column '{column}'"
            self._found.append((row.number, at + note, fault))

    def check(self) -> None:
        """Raise InputError for the faults there are: the first 20, in order of the rows."""
        if not self._found:
            return
        (_, where, fault), *others = sorted(self._found, key=lambda found: found[0])[:_LISTED]
        listed = [f"{at.removeprefix(f'{self._path}, ')}: {other.what}" for _, at, other in others]
        what = "; ".join((fault.what, *listed))
        if self._count > 1:
            what += f"; {self._count} faults in all"
        mends = dict.fromkeys((fault.mend, *(other.mend for _, _, other in others)))
        raise InputError(what, where=where, mend="; ".join(list(mends)[:3]))


def shown(value: str) -> str:
    """Return a cell as an error may show it: a word, or the few first characters of a text."""
    if _WORD.fullmatch(value) or len(value) <= _SHORT:
        return repr(value)
    if len(value) <= _LONG:
        return f"{value[:_FEW]!r}... ({len(value)} characters)"
    return f"(text of {len(value):,} characters)"


def place(path: Path, number: int, line: int | None) -> str:
    """Return where a row is, for an error."""
    return f"{path}, row {number}" + (f" (line {line})" if line else "")


def require_file(path: Path) -> Path:
    """Return the path of a file that is there; raise InputError if it is not."""
    if not path.is_file():
        raise InputError(
            "no such file",
            where=str(path),
            mend="check the path; a corpus lies below the folder that --data-dir or "
            "ESSAY_SCORING_DATA names, else beside its config, else below data",
        )
    return path


def open_table(path: Path, form: TableFormat = AUTO) -> TableFile:
    """Return the table of a file once it is read through; InputError where it is not whole.

    That is a file of unknown type or encoding, broken quoting, a quote that takes the rows below
    into a cell, a column that is there twice, no rows. Faults of rows are told with the rows.
    """
    table_kind(path)
    require_file(path)
    digest = file_sha256(path)
    layout = find_layout(path, form)
    records = _numbered(path, layout)
    titles, header = next(records, (0, None))
    if header is None:
        raise InputError("the file is empty", where=str(path), mend="export the table again")
    names = _header_names(header.cells, path)
    if titles:
        _log.warning("%s: %d row(s) above the header are taken for titles", path, titles)
    swallowed = SwallowedRows(len(names), layout.separator)
    filled = {at for at, name in enumerate(names) if name}
    number = 0
    for number, record in records:
        swallowed.look(number, record)
        if len(filled) < len(names):
            filled |= {at for at, cell in enumerate(record.cells[: len(names)]) if cell.strip()}
    if not number:
        raise InputError(
            "there is a header but no rows below it", where=str(path), mend="export the table again"
        )
    if not layout.has_names and 2 * sum(map(bool, names)) < len(filled):
        raise InputError(
            f"the header row names {sum(map(bool, names))} of {len(filled)} columns",
            where=f"{path}, header row",
            mend="remove what stands above the header, or name the columns",
        )
    _refuse_swallowed(swallowed, path, layout)
    decimal = "." if form.decimal == "auto" and layout.separator == "," else form.decimal
    kept = tuple(range(len(names)) if layout.keeps_blank else sorted(filled))
    own = tuple(names[at] for at in kept)
    return TableFile(path, layout, digest, own, decimal, number, kept, len(names))


def _numbered(path: Path, layout: FileLayout) -> Iterator[tuple[int, SourceRow]]:
    """Yield the header, then every row with its number; blank ones where they count.

    The header's number is that of the titles above it.
    """
    records = (r for r in records_of(path, layout) if layout.keeps_blank or not r.is_blank)
    first = list(itertools.islice(records, 1 if layout.has_names else MOST_TITLES + 2))
    titles = _n_titles(first)
    for number, record in enumerate(itertools.chain(first[titles:], records)):
        yield number or titles, record


def _n_titles(first: Sequence[SourceRow]) -> int:
    """Return how many records above the header are titles: of one cell, before a header of several.

    A header has names in most of its columns, no two alike, none a number or as long as an essay.
    """
    filled = [[cell.strip() for cell in record.cells if cell.strip()] for record in first]
    at = next((at for at, cells in enumerate(filled) if len(cells) > 1), 0)
    names = filled[at] if at else []
    is_header = len({*names}) == len(names) and not any(
        len(name) > _LONGEST_NAME or _NUMBER.fullmatch(name) for name in names
    )
    return at if at and is_header else 0


def _refuse_swallowed(swallowed: SwallowedRows, path: Path, layout: FileLayout) -> None:
    """Raise InputError for the first cell that holds rows of the table."""
    rows = _numbered(path, layout)
    next(rows)
    found = swallowed.first(rows)
    if found is None:
        return
    record, number, n_lines = found
    raise InputError(
        f"a quote opens here and takes the next {n_lines - 1} line(s), each a row by itself, into "
        "its cell",
        where=place(path, number, record.line),
        mend="set quoting = 'none' where quotes are part of the text (on a command line, --quoting "
        'none), or double each quote inside a cell ("")',
    )


def _header_names(cells: Sequence[str], path: Path) -> tuple[str, ...]:
    """Return the names of a header without outer white space; InputError for one there twice."""
    names = tuple(name.strip() for name in cells)
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        at = [str(position) for position, name in enumerate(names, 1) if name == twice[0]]
        raise InputError(
            f"the column {shown(twice[0])} is there {len(at)} times (columns {', '.join(at)})",
            where=f"{path}, header row",
            mend="rename or remove all but one",
        )
    return names


def require_column(name: str, names: Sequence[str], path: Path, mend: str) -> int:
    """Return the position of a column; raise InputError if there is none."""
    if name not in names:
        there = ", ".join(map(shown, names[:_LONG]))
        raise InputError(
            f"there is no column '{name}'; the columns are {there}", where=str(path), mend=mend
        )
    return names.index(name)
