"""The scored table as a file: the rows of the input with their scores beside them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from essay_scoring.core.spreadsheets import csv_line, harmless_cell
from essay_scoring.data.parquet import open_parquet
from essay_scoring.data.rows import BATCH_ROWS, PARQUET
from essay_scoring.scoring.flags import FLAGS
from essay_scoring.scoring.input_table import InputTable
from essay_scoring.scoring.model import COLUMNS

Cells = list[str]
"""The cells of one row's COLUMNS, as `Scored.cells` gives them."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def write_scored(path: Path, table: InputTable, scores: Iterator[Cells], *, text: bool) -> None:
    """Write a table with COLUMNS added, in the format of the path's ending: .csv or .parquet.

    The essays' own column is left out unless `text`. In CSV no cell is a formula to a spreadsheet.
    Parquet has columns of the types of the input (strings for CSV), numbers as such, and booleans.
    """
    kept = [at for at, name in enumerate(table.names) if text or name != table.columns.text]
    WRITERS[path.suffix.lower()](path, table, kept, scores)


def _write_csv(path: Path, table: InputTable, kept: list[int], scores: Iterator[Cells]) -> None:
    with path.open("w", encoding="utf-8", newline="") as sink:
        sink.write(csv_line([*(_harmless(table.names[at]) for at in kept), *COLUMNS]))
        for row, cells in zip(table.rows(), scores, strict=True):
            sink.write(csv_line([*(_harmless(row.cells[at]) for at in kept), *cells]))


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; a number stays one."""
    return cell if _NUMBER.fullmatch(cell) else harmless_cell(cell)


def _write_parquet(path: Path, table: InputTable, kept: list[int], scores: Iterator[Cells]) -> None:
    import pyarrow
    from pyarrow import parquet

    batches = _batches(table)
    first = next(batches)
    own = [first.schema.field(at).remove_metadata() for at in kept]
    added = [pyarrow.field(name, _type(name)) for name in COLUMNS]
    schema = pyarrow.schema([*own, *added])
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in itertools.chain([first], batches):
            cells = zip(*itertools.islice(scores, batch.num_rows), strict=True)
            told = [
                pyarrow.array(map(_value, itertools.repeat(name), column), _type(name))
                for name, column in zip(COLUMNS, cells, strict=True)
            ]
            arrays = [*(batch.column(at) for at in kept), *told]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


def _batches(table: InputTable) -> Iterator[Any]:
    """Yield the input as Arrow batches: one row or more, types as they are in Parquet."""
    import pyarrow

    if table.path.suffix.lower() == PARQUET:
        with open_parquet(table.path) as file:
            yield from (b for b in file.iter_batches(batch_size=BATCH_ROWS) if b.num_rows)
        return
    rows = table.rows()
    while some := list(itertools.islice(rows, BATCH_ROWS)):
        columns = zip(*(row.cells for row in some), strict=True)
        arrays = [pyarrow.array(column, pyarrow.string()) for column in columns]
        yield pyarrow.record_batch(arrays, names=list(table.names))


def _type(name: str) -> Any:
    import pyarrow

    return pyarrow.bool_() if name in FLAGS else pyarrow.float64()


def _value(name: str, cell: str) -> float | bool:
    return cell == "yes" if name in FLAGS else float(cell)


WRITERS: dict[str, Callable[[Path, InputTable, list[int], Iterator[Cells]], None]] = {
    ".csv": _write_csv,
    PARQUET: _write_parquet,
}
"""What writes a file, by its ending."""
