"""Parquet files, and their columns as text cells."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError

BATCH_ROWS = 1024
"""Rows of a Parquet file that are in memory at a time."""

_WHOLE = 2.0**53
# Otherwise all of a row group, which may be the whole file, is in memory at once.
_PIECEWISE: dict[str, Any] = {"buffer_size": 1 << 18, "pre_buffer": False}


@contextlib.contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """Yield a file as pyarrow opens it; InputError if it cannot be read, now or meanwhile."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path, **_PIECEWISE) as file:
            yield file
    except (ArrowException, OSError) as error:
        raise InputError(
            f"not a Parquet file ({type(error).__name__})",
            where=str(path),
            mend="export the table again, or give it the suffix of what it is (.csv, .tsv)",
        ) from None


def cell_text(value: object) -> str:
    """Return a cell as text: "" for nothing, whole numbers without a fraction; -0.0 is none."""
    signed = isinstance(value, float) and math.copysign(1.0, value) < 0 and not value
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE and not signed:
        # Ids beside an empty cell become floats in a data frame.
        return str(int(value))
    return "" if value is None else str(value)


def text_cells(column: Any, where: str, before: int = 0) -> list[str]:
    """Return an Arrow column as text: "" for null, numbers as `cell_text` writes them.

    It is that of the rows after the first `before` of the table at `where`, as errors name them.
    """
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, times out of range
        raise InputError(
            f"a cell cannot be read ({type(error).__name__})",
            where=where,
            mend="store the column as UTF-8 strings or numbers",
        ) from None
    wrong = next((v for v in values if isinstance(v, bytes | list | dict)), None)
    if wrong is not None:
        raise InputError(
            f"the cells are of type {type(wrong).__name__}, not text or numbers",
            where=where,
            mend="store the column as strings or numbers",
        )
    cells = list(map(cell_text, values))
    nul = next((row for row, cell in enumerate(cells) if "\0" in cell), None)
    if nul is not None:
        raise InputError(
            f"there is a NUL character in row {before + nul + 1}", where=where, mend="remove it"
        )
    return cells
