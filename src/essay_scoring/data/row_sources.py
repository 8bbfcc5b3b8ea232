"""Files as records of cells: which kind a file is, how its text is laid out, and what it holds."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, cast

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.files import parsed
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.encodings import find_encoding
from essay_scoring.data.parquet import BATCH_ROWS, cell_text, open_parquet, text_cells

PARQUET, EXCEL, JSONL = ".parquet", ".xlsx", ".jsonl"
"""The endings of files that are not text with separators."""

MOST_TITLES = 10
"""Lines above a header that say what the table is."""

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_KNOWN = (*_SEPARATORS, JSONL, EXCEL, PARQUET)
_SNIFFED = (",", ";", "\t", "|")
_HEADER_CHARACTERS = 1 << 16
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_MOST_IN_A_CELL = 4_000_000
_MIDNIGHT, _LONGEST_KEY = time(), 40

_log = logging.getLogger(__name__)


class SourceRow(NamedTuple):
    """The cells of one row as they stand, the line it starts on, and its lines if it is text."""

    line: int | None
    cells: tuple[str, ...]
    lines: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing in it."""
        return not any(map(str.strip, self.cells))


@dataclass(frozen=True)
class FileLayout:
    """How a file is read: kind, encoding, separator ("" without one), quoting, lines to skip."""

    kind: str
    encoding: str
    separator: str = ""
    quoted: bool = True
    skipped: int = 0

    @property
    def keeps_blank(self) -> bool:
        """Whether blank rows and columns count: Parquet has none by accident."""
        return self.kind == PARQUET

    @property
    def has_names(self) -> bool:
        """Whether names of columns are part of the file, and not its first row."""
        return self.kind in (PARQUET, JSONL)


def table_kind(path: Path) -> str:
    """Return the ending that tells the kind of a file; InputError for one of no known kind."""
    name = path.name.lower()
    inner = Path(name.removesuffix(".gz")).suffix
    zipped = name.endswith(".gz")
    if inner not in _KNOWN or (zipped and inner in (EXCEL, PARQUET)):
        shown = f"{inner}.gz" if zipped else inner
        raise InputError(
            f"the file type '{shown}' is not known",
            where=str(path),
            mend="save the table as .csv, .tsv, .jsonl (or one of them as .gz), .xlsx or .parquet",
        )
    return inner


def find_layout(path: Path, form: TableFormat) -> FileLayout:
    """Return how a file is read, as far as `form` says and else as the file tells."""
    kind = table_kind(path)
    if kind in (PARQUET, EXCEL):
        return FileLayout(kind, kind[1:])
    with _opened(path) as stream:
        encoding = find_encoding(path, _not_blank(path, stream), form.encoding)
    if encoding != "utf-8" and form.encoding == "auto":
        _log.warning("%s is not UTF-8; it was read as %s", path, encoding)
    if kind == JSONL:
        return FileLayout(kind, encoding)
    with _text(path, encoding, newline="") as text:
        separator, skipped = _separator(text.read(_HEADER_CHARACTERS), kind, form)
    return FileLayout(kind, encoding, separator, form.quoting != "none", skipped)


def records_of(path: Path, layout: FileLayout) -> Iterator[SourceRow]:
    """Yield the header, then every record; InputError where the file is not whole."""
    if layout.kind == PARQUET:
        return _parquet_records(path)
    if layout.kind == EXCEL:
        return _excel_records(path)
    if layout.kind == JSONL:
        return _json_records(path, layout.encoding)
    return _separated_records(path, layout)


def _not_blank(path: Path, stream: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines; InputError after the last if there was nothing in them."""
    blank = True
    for number, line in enumerate(stream):
        blank = blank and not line.removeprefix(b"\xef\xbb\xbf" if not number else b"").strip()
        yield line
    if blank:
        raise InputError("the file is empty", where=str(path), mend="export the table again")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file's bytes, unpacked; InputError if it cannot be read, now or meanwhile."""
    try:
        zipped = path.suffix.lower() == ".gz"
        opened = (
            cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")  # noqa: SIM115
        )
        with opened as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(
            "not a whole gzip file", where=str(path), mend="pack it again, or unpack it"
        ) from None
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            mend="check its permissions",
        ) from None


@contextlib.contextmanager
def _text(path: Path, encoding: str, newline: str) -> Iterator[io.TextIOWrapper]:
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with _opened(path) as stream:
        try:
            yield io.TextIOWrapper(stream, encoding=codec, newline=newline)
        except UnicodeError:
            raise InputError(
                f"the file is not {encoding}",
                where=str(path),
                mend="set the encoding it is in, or save it as UTF-8",
            ) from None


def _separator(head: str, kind: str, form: TableFormat) -> tuple[str, int]:
    """Return what separates cells, and how many lines only say so.

    That is what is given, what a line `sep=;` says, or else what the header has most cells by: the
    first line that has several.
    """
    said = _SEPARATOR_LINE.fullmatch(head.split("\n", 1)[0])
    if said:
        return (said[1] if form.separator == "auto" else form.separator), 1
    if form.separator != "auto":
        return form.separator, 0
    lines = head.lstrip("\r\n").splitlines(keepends=True)

    own = _SEPARATORS[kind]
    separators = (own, *_SNIFFED)
    counts = [_widths(lines, separator, quoted=form.quoting != "none") for separator in separators]
    # Lines of one cell above a header are titles.
    wide = (widths for widths in zip(*counts, strict=False) if max(widths) > 1)
    widths = next(wide, (1,) * len(separators))
    return separators[widths.index(max(widths))], 0


def _widths(lines: Sequence[str], separator: str, *, quoted: bool) -> list[int]:
    """Return how many cells the first records have by a separator; blank lines are none."""
    if not quoted:
        records: Iterable[Sequence[str]] = (line.split(separator) for line in lines)
    else:
        records = csv.reader(lines, delimiter=separator)
    filled = (record for record in records if any(map(str.strip, record)))
    return [len(record) for record in itertools.islice(filled, MOST_TITLES + 1)]


class _Lines:
    """The lines of a text, those of the record that is being read among them."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream, self.taken = iter(stream), list[str]()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self.taken.append(line)
        return line


def _separated_records(path: Path, layout: FileLayout) -> Iterator[SourceRow]:
    """Yield the records of CSV or TSV; InputError for broken quoting."""
    csv.field_size_limit(_MOST_IN_A_CELL)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE
    with _text(path, layout.encoding, newline="") as stream:
        for _ in range(layout.skipped):
            next(stream)
        lines = _Lines(stream)
        reader = csv.reader(lines, delimiter=layout.separator, strict=True, quoting=quoting)
        number, line, header = 0, 1 + layout.skipped, True
        try:
            for cells in reader:
                record = SourceRow(line, tuple(cells), tuple(lines.taken) if cells else ())
                if not (header and record.is_blank):
                    yield record
                    header = False
                number += not record.is_blank
                line += len(lines.taken)
                lines.taken.clear()
        except csv.Error as error:
            where = f"{path}, row {number}" + f" (line {line})"
            if "field limit" in str(error) and len(lines.taken) == 1:
                raise _too_long(where) from None
            raise _quoting(error, where, quoted=layout.quoted) from None


def _too_long(where: str) -> InputError:
    """Return the error of a cell that holds more than any essay, id or score does."""
    return InputError(
        f"a cell has more than {_MOST_IN_A_CELL:,} characters",
        where=where,
        mend="check that each row holds one essay, or remove the row",
    )


def _quoting(error: csv.Error, where: str, *, quoted: bool) -> InputError:
    if not quoted:
        return InputError(
            f"the row cannot be read ({error})",
            where=where,
            mend="remove stray carriage returns, or set quoting = 'double'",
        )
    what = "a closing quote is not followed by a separator or line end"
    if "end of data" in str(error) or "field limit" in str(error):
        what = "a quote is opened here and never closed"
    return InputError(
        f"the quoting is broken: {what}",
        where=where,
        mend='put quotes around the whole cell and double those inside it (""), or set quoting = '
        "'none' where quotes are part of the text",
    )


def _json_records(path: Path, encoding: str) -> Iterator[SourceRow]:
    """Yield all keys as the header, then the values of each line's object under them.

    What is in an object inside it has the names of both, `scores.style`.
    """
    names: dict[str, None] = {}
    for _, values in _json_lines(path, encoding):
        names.update(dict.fromkeys(values))
    yield SourceRow(None, tuple(names))
    for line, values in _json_lines(path, encoding):
        yield SourceRow(
            line, tuple(_json_cell(values.get(name), path, line, name) for name in names)
        )


def _json_lines(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with _text(path, encoding, newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                values = parsed(json.loads, line, "JSON", where)
            except InputError:
                values = None
            if not isinstance(values, dict):
                raise InputError(
                    "the line is no JSON object",
                    where=where,
                    mend='write one object a line, {"id": ..., "text": ...}',
                )
            yield number, _flat(values, where)


def _flat(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the values of an object and of those inside it, by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inside = _flat(value, where) if isinstance(value, dict) else {"": value}
        for part, cell in inside.items():
            key = f"{name}.{part}" if part else name
            if key in flat:
                raise InputError(
                    f"there are two values of '{key[:_LONGEST_KEY]}'",
                    where=where,
                    mend="rename one of the two keys",
                )
            flat[key] = cell
    return flat


def _json_cell(value: object, path: Path, line: int, name: str) -> str:
    cell = cell_text(value)
    if len(cell) > _MOST_IN_A_CELL:
        raise _too_long(f"{path}, line {line}, column '{name}'")
    if isinstance(value, list | dict) or (not cell.isascii() and _has_surrogate(cell)):
        raise InputError(
            "the value is no text or number",
            where=f"{path}, line {line}, column '{name}'",
            mend="store text or numbers, or leave the key out",
        )
    return cell


def _has_surrogate(cell: str) -> bool:
    return any("\ud800" <= mark <= "\udfff" for mark in cell)


def _excel_records(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of the first sheet; formulas as the values they had when they were saved."""
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise MissingExtraError("openpyxl", "excel") from None
    import zipfile

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        if len(book.sheetnames) > 1:
            _log.warning(
                "%s has %d sheets; the first is read: put the one with the table first",
                path,
                len(book.sheetnames),
            )
        started = False
        for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            record = SourceRow(number, tuple(map(_excel_cell, row)))
            if started or not record.is_blank:
                started = True
                yield record
        book.close()
    except (zipfile.BadZipFile, KeyError, IndexError, ValueError, OSError) as error:
        raise InputError(
            f"not an Excel file ({type(error).__name__})",
            where=str(path),
            mend="save it as .xlsx again, or as .csv",
        ) from None


def _excel_cell(value: object) -> str:
    """Return a cell as text; a date, which Excel keeps as a midnight, without a time."""
    if isinstance(value, datetime) and value.time() == _MIDNIGHT:
        return value.date().isoformat()
    return cell_text(value)


def _parquet_records(path: Path) -> Iterator[SourceRow]:
    """Yield rows of cells as text; InputError for a column that cannot be text."""
    with open_parquet(path) as file:
        names = tuple(file.schema_arrow.names)
        yield SourceRow(None, names)
        before = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            columns = [
                text_cells(column, f"{path}, column '{name}'", before)
                for name, column in zip(names, batch.columns, strict=True)
            ]
            for name, column in zip(names, columns, strict=True):
                long = (row for row, cell in enumerate(column) if len(cell) > _MOST_IN_A_CELL)
                if (row := next(long, None)) is not None:
                    raise _too_long(f"{path}, row {before + row + 1}, column '{name}'")
            yield from (SourceRow(None, cells) for cells in zip(*columns, strict=True))
            before += batch.num_rows
