"""Columns of a table as ids, texts, prompts, scores and labels, each cell checked.

What is wrong is noted in the table, with row and column, and told at once by `Table.check`; until
then a placeholder stands in its place. No error shows a long cell, since a column map may be wrong
and point at the essays.
"""

from __future__ import annotations

import math
import re

import numpy as np

from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.core.text import has_controls
from essay_scoring.data.rows import shown
from essay_scoring.data.tables import Table

_MISSING = frozenset({"", "nan", "na", "null", "none"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_RATERS = "map the column of the raters (rater = NAME) where rows are raters' scores of one essay"


def id_cells(table: Table, column: str | None) -> tuple[str, ...]:
    """Return ids in one form, none blank and none twice; the rows' numbers where there is none."""
    if column is None:
        return tuple(str(row.number) for row in table.rows)
    ids = _names(table, column, "id", "give every row an id")
    first: dict[str, int] = {}
    for row, essay_id in enumerate(ids):
        earlier = first.setdefault(essay_id, row)
        if essay_id and earlier != row:
            what = f"the id {shown(essay_id)} is already that of row {table.rows[earlier].number}"
            mend = f"give every essay an id of its own, or remove the repeated row, or {_RATERS}"
            table.fault(row, what, mend, column)
    return ids


def text_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return texts as they stand, each with at least one letter or digit."""
    texts = table.column(column)
    for row, text in enumerate(texts):
        if not any(map(str.isalnum, text)):
            mend = "give the essay's text, or remove the row"
            table.fault(row, "the text is blank", mend, column)
    return tuple(texts)


def prompt_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return prompt names in one form, white space collapsed, none blank."""
    return _names(table, column, "prompt", "name the prompt, or remove the row")


def label_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return group labels in one form, "" where unknown."""
    return _names(table, column)


def _names(table: Table, column: str, what: str = "", mend: str = "") -> tuple[str, ...]:
    """Return names in one form; what may not be blank is called `what`."""
    cells = table.column(column)
    names = tuple(map(table.file.name, cells))
    for row, (name, cell) in enumerate(zip(names, cells, strict=True)):
        if what and not name:
            table.fault(row, f"the {what} is blank", mend, column)
        elif has_controls(cell):
            # It is shown in pages and terminals.
            fault = f"{shown(cell)} holds a control character"
            table.fault(row, fault, "remove the character", column)
    return names


def score_cells(
    table: Table,
    column: str,
    prompts: tuple[str, ...],
    scales: ScoreScales,
    *,
    may_be_missing: bool = False,
) -> FloatArray:
    """Return scores, each a label of its prompt's scale, shape (n,); NaN where one may be missing.

    A blank cell, `nan`, `NA`, `null` and `none` are missing.
    """
    scores = number_cells(table, column, required=not may_be_missing)
    missing = np.isnan(scores)
    for row, prompt in enumerate(prompts):
        scale = _scale_of(prompt, scales)
        if scale is None:
            if not may_be_missing:
                what = f"the prompt {shown(prompt)} has no score scale"
                table.fault(row, what, "add it under [data.corpus.scales.by_prompt]")
        elif not missing[row] and not scale.holds(scores[row : row + 1])[0]:
            off = scores[row] < scale.low or scores[row] > scale.high
            what = (
                f"the score {scores[row]:g} is {'off' if off else 'not on a step of'} the scale "
                f"{scale.span}"
            )
            table.fault(row, what, "correct the score, or give the right scale", column)
        else:
            scores[row] = math.nan if missing[row] else scale.round(scores[row : row + 1])[0]
    return scores


def _scale_of(prompt: str, scales: ScoreScales) -> ScoreScale | None:
    return scales.shared if scales.shared is not None else scales.by_prompt.get(prompt)


def number_cells(table: Table, column: str, *, required: bool = False) -> FloatArray:
    """Return finite numbers, NaN where a cell is missing, shape (n,)."""
    cells = [cell.strip() for cell in table.column(column)]
    comma = table.file.decimal == "," or (
        table.file.decimal == "auto" and any(map(_DECIMAL_COMMA.fullmatch, cells))
    )
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell.lower() not in _MISSING:
            values[row] = _number(cell, comma=comma)
            if math.isnan(values[row]):
                mark = "comma" if comma else "point"
                mend = (
                    f"write numbers with a decimal {mark}, set decimal to the other one, or map "
                    "another column"
                )
                table.fault(row, f"{shown(cell)} is not a number", mend, column)
        elif required:
            table.fault(row, "the score is missing", "give a score, or remove the row", column)
    return values


def _number(cell: str, *, comma: bool) -> float:
    """Return a finite number, NaN for what is none; Python also takes 1_000, which is none."""
    if "_" in cell or (comma and "." in cell):
        return math.nan
    try:
        value = float(cell.replace(",", ".", 1) if comma else cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
