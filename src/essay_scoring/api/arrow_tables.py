"""Records as pyarrow tables: one row a record, one column a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow
from pydantic import JsonValue


def arrow_table(rows: Iterable[Mapping[str, JsonValue]]) -> pyarrow.Table:
    """Return rows as a table; a column without any value is one of missing numbers."""
    table = pyarrow.Table.from_pylist([dict(row) for row in rows])
    kinds = [
        pyarrow.field(each.name, pyarrow.float64()) if pyarrow.types.is_null(each.type) else each
        for each in table.schema
    ]
    return table.cast(pyarrow.schema(kinds))
