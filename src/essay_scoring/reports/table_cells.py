"""Tables whose cells are values: one table serves the terminal, Markdown, HTML, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from essay_scoring.core.number_text import (
    MISSING,
    number,
    probability,
    threshold,
    with_interval,
)

Kind = Literal["text", "count", "number", "spread", "interval", "judged", "threshold", "p"]
"""What a column holds: text; a whole number; a number; (mean, deviation); (estimate, low, high);
the same and the threshold they are held against; a number to be reached; a p-value. Any of them may
be None."""


LEVELS = (0.025, 0.05)
"""What p-values are held against, one-sided and two-sided: their digits show on which side."""


@dataclass(frozen=True)
class Column:
    """A column's title, what it holds, and whether its numbers carry their sign."""

    title: str
    kind: Kind = "number"
    signed: bool = False


@dataclass(frozen=True)
class ReportTable:
    """A table: a name for its file, a caption, columns, and rows of values."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Any]]

    @property
    def header(self) -> tuple[str, ...]:
        """The titles of the columns."""
        return tuple(column.title for column in self.columns)

    @property
    def texts(self) -> list[list[str]]:
        """The rows as text."""
        return [
            [cell_text(column, cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


def cell_text(column: Column, cell: Any) -> str:
    """Return a value as its column shows it, a dash where it is missing."""
    if cell is None or cell == "":
        return MISSING
    if column.kind in ("text", "count"):
        return str(cell)
    if column.kind == "p":
        return probability(cell, *LEVELS)
    if column.kind == "threshold":
        return f"≥ {threshold(cell, sign=True)}"
    if column.kind == "spread":
        return f"{number(cell[0])} ± {number(cell[1])}"
    if column.kind in ("interval", "judged"):
        return with_interval(*cell, sign=column.signed)
    return number(cell, sign=column.signed)


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned table for a terminal."""
    lines = [list(header), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in x) + " |" for x in lines
    )
