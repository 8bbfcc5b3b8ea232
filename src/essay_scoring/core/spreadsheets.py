"""Text that a spreadsheet shows as it is: ids and names of prompts come from elsewhere.

A spreadsheet takes a cell that begins with certain characters for a formula, and runs it; after an
apostrophe it is text, in every spreadsheet program. Numbers are written as numbers, not through
here.
"""

from __future__ import annotations

from collections.abc import Iterable

from essay_scoring.core.text import without_controls

FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What begins a formula: also white space that is passed over, and the full-width forms."""


def harmless_cell(text: str) -> str:
    """Return the text of a cell, after an apostrophe where it could be taken for a formula."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def bare_cell(cell: str) -> str:
    """Return the text that `harmless_cell` made this cell of."""
    rest = cell[1:]
    hidden = cell.startswith("'") and rest.lstrip("'").startswith(FORMULA_STARTS)
    return rest if hidden else cell


def csv_line(cells: Iterable[str]) -> str:
    """Return cells as one record of a CSV file, with its line end.

    A cell is quoted where a reader could trip over it: the csv module leaves a carriage return
    bare, which ends a record.
    """
    return ",".join(map(quoted, cells)) + "\n"


def quoted(cell: str) -> str:
    """Return one field of a CSV record, in quotes where it needs them, controls as escapes."""
    cell = without_controls(cell)
    if not any(mark in cell for mark in ',"\r\n') and cell == cell.strip():
        return cell
    return '"' + cell.replace('"', '""') + '"'
