"""Tables of text cells from CSV, TSV and Parquet files, read strictly."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from essay_scoring.core.errors import InputError
from essay_scoring.data.parquet import open_parquet, text_cells

Encoding = Literal["auto", "utf-8", "cp1252", "latin-1"]

_LOGGER = logging.getLogger(__name__)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_UTF8_MARK = b"\xef\xbb\xbf"
_SHOWN = 40


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
        if name not in self.names:
            there = ", ".join(shown(other) for other in self.names[:_SHOWN])
            raise InputError(
                f"there is no column '{name}'; the columns are {there}",
                where=str(self.path),
                mend="name an existing column, or check the header row and the delimiter"
                " (comma in .csv, tab in .tsv)",
            )
        return self.read(self.names.index(name))

    def where(self, row: int, column: str | None = None) -> str:
        """Return the place of a row (counted from 0 here, from 1 in the message) for an error."""
        place = f"{self.path}, row {row + 1}"
        if self.lines:
            place += f" (line {self.lines[row]})"
        return place if column is None else f"{place}, column '{column}'"


def shown(value: str) -> str:
    """Return a cell as an error may show it: a long one only by its length, as it may be essay."""
    return repr(value) if len(value) <= _SHOWN else f"(text of {len(value):,} characters)"


def read_table(path: Path, *, encoding: Encoding = "auto") -> Table:
    """Return the table of a .csv, .tsv or .parquet file; InputError for any that is not whole.

    `auto` reads UTF-8, with or without a byte order mark, and else cp1252 with a warning, unless
    the file looks like damaged UTF-8. A given encoding is strict.
    """
    suffix = path.suffix.lower()
    if suffix not in (*_DELIMITERS, ".parquet"):
        raise InputError(
            f"the file type '{suffix}' is not known",
            where=str(path),
            mend="save the table as .csv, .tsv or .parquet",
        )
    require_file(path)
    if suffix == ".parquet":
        return _read_parquet(path)
    text, used = _decode(_file_bytes(path), path, encoding)
    return _parse(text, path, used)


def require_file(path: Path) -> Path:
    """Return the path of a file that is there; raise InputError if it is not."""
    if not path.is_file():
        raise InputError(
            "no such file",
            where=str(path),
            mend="check the path, and that ESSAY_SCORING_DATA names the data folder",
        )
    return path


def _file_bytes(path: Path) -> bytes:
    """Return the bytes of a text file that has some, and none of them NUL."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            mend="check its permissions",
        ) from None
    if not data.removeprefix(_UTF8_MARK).strip():
        raise InputError("the file is empty", where=str(path), mend="export the table again")
    nul = data.find(b"\0")
    if nul >= 0:
        raise InputError(
            f"there is a NUL byte at offset {nul}",
            where=f"{path}, line {_line_of(data, nul)}",
            mend="save the file as UTF-8 (UTF-16 looks like this), or remove the byte",
        )
    return data


def _line_of(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _decode(data: bytes, path: Path, encoding: Encoding) -> tuple[str, str]:
    """Return the text and the encoding it was read with."""
    if encoding in ("cp1252", "latin-1") and data.startswith(_UTF8_MARK):
        raise InputError(
            f"the file starts with a UTF-8 byte order mark but encoding is '{encoding}'",
            where=f"{path}, line 1",
            mend="set encoding = 'utf-8'",
        )
    tried = "utf-8-sig" if encoding in ("auto", "utf-8") else encoding
    try:
        return data.decode(tried), "utf-8" if tried == "utf-8-sig" else encoding
    except UnicodeDecodeError as error:
        if encoding == "auto" and _looks_like_cp1252(data):
            _LOGGER.warning("%s is not UTF-8; it was read as cp1252", path)
            return data.decode("cp1252"), "cp1252"
        # The codec strips a byte order mark before it counts.
        mark = len(_UTF8_MARK) if tried == "utf-8-sig" and data.startswith(_UTF8_MARK) else 0
        _refuse_byte(data, mark + error.start, path, encoding)


def _refuse_byte(data: bytes, offset: int, path: Path, encoding: Encoding) -> NoReturn:
    name = "UTF-8" if encoding in ("auto", "utf-8") else encoding
    other = "'cp1252' or 'latin-1'" if name == "UTF-8" else "'utf-8' or 'latin-1'"
    raise InputError(
        f"byte 0x{data[offset]:02x} at offset {offset} is not {name}",
        where=f"{path}, line {_line_of(data, offset)}",
        mend=f"set encoding = {other} if the file is in it, or save the file as UTF-8",
    ) from None


def _looks_like_cp1252(data: bytes) -> bool:
    """Tell whether every byte is defined in cp1252 and most that are not ASCII cannot be UTF-8.

    A byte order mark says UTF-8 whatever follows. UTF-8 with a few damaged bytes still has mostly
    valid sequences; reading that as cp1252 would quietly spoil every accented letter.
    """
    if data.startswith(_UTF8_MARK):
        return False
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    beyond = [character for character in data.decode("utf-8", "replace") if character > "\x7f"]
    return beyond.count("\ufffd") * 2 > len(beyond)


def _parse(text: str, path: Path, encoding: str) -> Table:
    """Return the table of decoded text: strict quoting, as many cells in a row as in the header."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    delimiter = _DELIMITERS[path.suffix.lower()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        _refuse_quoting(error, f"{path}, row {len(rows)} (line {start})")  # the header is row 0
    names = _header(rows, path)
    table = Table(
        path,
        names,
        len(rows) - 1,
        encoding,
        tuple(lines[1:]),
        lambda position: [row[position] for row in rows[1:]],
    )
    _check_widths(table, rows[1:])
    return table


def _refuse_quoting(error: csv.Error, where: str) -> NoReturn:
    if "end of data" in str(error):
        what = "the quoting is broken: a quote is opened here and never closed"
    else:
        what = "the quoting is broken: a closing quote is not followed by a delimiter or line end"
    raise InputError(
        what, where=where, mend='put quotes around the whole cell and double those inside it ("")'
    ) from None


def _header(rows: list[list[str]], path: Path) -> tuple[str, ...]:
    names = tuple(name.strip() for name in rows[0]) if rows else ()
    _check_names(names, path)
    if len(rows) < 2:
        _refuse_no_rows(path)
    return names


def _refuse_no_rows(path: Path) -> NoReturn:
    raise InputError(
        "there is a header but no rows below it", where=str(path), mend="export the table again"
    )


def _check_names(names: tuple[str, ...], path: Path) -> None:
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        at = [position + 1 for position, name in enumerate(names) if name == twice[0]]
        raise InputError(
            f"the column {shown(twice[0])} is there {len(at)} times (columns"
            f" {', '.join(map(str, at))})",
            where=f"{path}, header row",
            mend="rename or remove all but one",
        )


def _check_widths(table: Table, rows: list[list[str]]) -> None:
    width = len(table.names)
    for position, row in enumerate(rows):
        if len(row) != width:
            raise InputError(
                f"the row has {len(row)} cells but the header has {width}",
                where=table.where(position),
                mend="quote every cell that holds a delimiter, a quote or a line break",
            )


def _read_parquet(path: Path) -> Table:
    """Return the table of a Parquet file; its columns become text when they are asked for."""
    with open_parquet(path) as file:
        names = tuple(file.schema_arrow.names)
        _check_names(names, path)
        frame = file.read()
    if not frame.num_rows:
        _refuse_no_rows(path)

    def cells(position: int) -> list[str]:
        return text_cells(frame.column(position), f"{path}, column '{names[position]}'")

    return Table(path, names, frame.num_rows, "parquet", (), cells)
