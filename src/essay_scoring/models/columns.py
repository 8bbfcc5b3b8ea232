"""The columns a scorer was fitted on: remembered when it learns, checked when it predicts."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.contracts import Columns, ColumnSource, Matrix
from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.essays import Essays


class FittedColumns:
    """Asks a source for columns and holds it to the names it gave first; `names` () until then."""

    def __init__(self, source: ColumnSource) -> None:
        self.names: tuple[str, ...] = ()
        self._source = source

    def remember(self, essays: Essays) -> Matrix:
        """Return the columns of training essays, shape (n, names), and keep their names."""
        columns = self._ask(essays)
        if not columns.names:
            raise InputError("there are no feature columns", mend="name at least one feature set")
        self.names = columns.names
        return columns.values

    def matrix(self, essays: Essays) -> Matrix:
        """Return the remembered columns of other essays; raise InputError if the names differ."""
        columns = self._ask(essays)
        if columns.names != self.names:
            raise InputError(
                f"the columns are not those that the scorer was fitted on: "
                f"{_difference(self.names, columns.names)}",
                mend="use the feature settings that the scorer was fitted with",
            )
        return columns.values

    def _ask(self, essays: Essays) -> Columns:
        columns = self._source(essays)
        if len(columns.values) != len(essays):
            raise ValueError("the column source must give one row per essay")
        infinite = np.isinf(columns.values)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise NotFiniteError(
                f"column {columns.names[column]!r} is infinite", where=f"essay {essays.ids[row]}"
            )
        return columns


def _difference(fitted: tuple[str, ...], given: tuple[str, ...]) -> str:
    """Say in a few words how two lists of names differ."""
    missing = [name for name in fitted if name not in set(given)]
    new = [name for name in given if name not in set(fitted)]
    if not missing and not new:
        return "the same names in another order"
    parts = [
        f"{what} {_few(names)}" for what, names in (("missing", missing), ("new", new)) if names
    ]
    return "; ".join(parts)


def _few(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
