"""The rows of CSV, TSV and Parquet files, one by one, and the rules that all tables keep.

Corpora, imported predictions and essays to score are read by these rules alike: a file of any
length takes the same memory, and an error names its place and shows no long cell.
"""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.data.parquet import open_parquet, text_cells

Encoding = Literal["auto", "utf-8", "cp1252", "latin-1"]

PARQUET = ".parquet"
"""The ending of Parquet files, and the encoding that one is said to have without its dot."""

BATCH_ROWS = 1024
"""Rows of a Parquet file that are in memory at a time."""

_LOGGER = logging.getLogger(__name__)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_UTF8_MARK = b"\xef\xbb\xbf"
_SHOWN = 40
_MOST_IN_A_CELL = 4_000_000


@dataclass(frozen=True)
class Row:
    """One row: its number, from 1 below the header, the line it starts on if any, its cells."""

    number: int
    line: int | None
    cells: tuple[str, ...]


class Fault(NamedTuple):
    """What is wrong with a row, and how to mend it."""

    what: str
    mend: str


def shown(value: str) -> str:
    """Return a cell as an error may show it: a long one only by its length, as it may be essay."""
    return repr(value) if len(value) <= _SHOWN else f"(text of {len(value):,} characters)"


def place(path: Path, number: int, line: int | None) -> str:
    """Return where a row is, for an error."""
    return f"{path}, row {number}" + (f" (line {line})" if line else "")


def require_file(path: Path) -> Path:
    """Return the path of a file that is there; raise InputError if it is not."""
    if not path.is_file():
        raise InputError(
            "no such file",
            where=str(path),
            mend="check the path, and that ESSAY_SCORING_DATA names the data folder",
        )
    return path


def is_parquet(path: Path) -> bool:
    """Tell whether a file that is there is Parquet; InputError for one of no known type."""
    suffix = path.suffix.lower()
    if suffix not in (*_DELIMITERS, PARQUET):
        raise InputError(
            f"the file type '{path.suffix}' is not known",
            where=str(path),
            mend="save the table as .csv, .tsv or .parquet",
        )
    require_file(path)
    return suffix == PARQUET


def check_bytes(path: Path, encoding: Encoding) -> tuple[str, str]:
    """Return the encoding of a file and its sha256; InputError for a byte that is at fault.

    `auto` is UTF-8, with or without a byte order mark, and else cp1252 with a warning, unless the
    file looks like damaged UTF-8. A given encoding is strict. Parquet has one of its own.
    """
    if is_parquet(path):
        return PARQUET[1:], file_sha256(path)
    codec = "utf-8" if encoding == "auto" else encoding
    try:
        return codec, _check_lines(path, codec)
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            mend="check its permissions",
        ) from None
    except InputError:
        if encoding != "auto" or not _looks_like_cp1252(path.read_bytes()):
            raise
    digest = _check_lines(path, "cp1252")
    _LOGGER.warning("%s is not UTF-8; it was read as cp1252", path)
    return "cp1252", digest


def _check_lines(path: Path, codec: str) -> str:
    """Return the sha256 of a text file that has text, no NUL byte, and no other encoding."""
    digest, offset, blank = hashlib.sha256(), 0, True
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            where = f"{path}, line {number}"
            digest.update(line)
            marked = number == 1 and line.startswith(_UTF8_MARK)
            if marked and codec != "utf-8":
                raise InputError(
                    f"the file starts with a UTF-8 byte order mark but encoding is '{codec}'",
                    where=where,
                    mend="set encoding = 'utf-8'",
                )
            if b"\0" in line:
                raise InputError(
                    f"there is a NUL byte at offset {offset + line.index(0)}",
                    where=where,
                    mend="save the file as UTF-8 (UTF-16 looks like this), or remove the byte",
                )
            try:
                line.decode(codec)
            except UnicodeDecodeError as error:
                raise _wrong_byte(line[error.start], offset + error.start, where, codec) from None
            offset += len(line)
            blank = blank and not (line[len(_UTF8_MARK) :] if marked else line).strip()
    if blank:
        raise InputError("the file is empty", where=str(path), mend="export the table again")
    return digest.hexdigest()


def _wrong_byte(byte: int, offset: int, where: str, codec: str) -> InputError:
    name, other = ("UTF-8", "cp1252") if codec == "utf-8" else (codec, "utf-8")
    return InputError(
        f"byte 0x{byte:02x} at offset {offset} is not {name}",
        where=where,
        mend=f"set encoding = '{other}' or 'latin-1' if the file is in it (for `score`, "
        "--encoding), or save the file as UTF-8",
    )


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


def rows_of(path: Path, encoding: str) -> Iterator[Row]:
    """Yield the header as number 0, then every row; InputError where the file is not whole."""
    return _parquet_rows(path) if is_parquet(path) else _text_rows(path, encoding)


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


def _text_rows(path: Path, encoding: str) -> Iterator[Row]:
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
        except csv.Error as error:
            raise _quoting(error, place(path, number, line)) from None


def _quoting(error: csv.Error, where: str) -> InputError:
    what = "a closing quote is not followed by a delimiter or line end"
    if "end of data" in str(error) or "field limit" in str(error):
        what = "a quote is opened here and never closed"
    return InputError(
        f"the quoting is broken: {what}",
        where=where,
        mend='put quotes around the whole cell and double those inside it ("")',
    )


def header_names(cells: Sequence[str], path: Path) -> tuple[str, ...]:
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
        there = ", ".join(map(shown, names[:_SHOWN]))
        raise InputError(
            f"there is no column '{name}'; the columns are {there}", where=str(path), mend=mend
        )
    return names.index(name)


def width_fault(row: Row, width: int) -> Fault | None:
    """Return what is wrong with a row that has not as many cells as the header."""
    if len(row.cells) == width:
        return None
    what = f"the row has {len(row.cells)} cells but the header has {width}"
    return Fault(what, "quote every cell that holds a delimiter, a quote or a line break")


def require_rows(n_rows: int, path: Path) -> None:
    """Raise InputError for a table without rows."""
    if not n_rows:
        raise InputError(
            "there is a header but no rows below it", where=str(path), mend="export the table again"
        )
