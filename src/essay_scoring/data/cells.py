"""Columns of a table as ids, texts, prompts, scores and labels, each cell checked.

Every error names file, row and column; none shows a long cell, since a column map may be wrong and
point at the essays.
"""

from __future__ import annotations

import math

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.core.text import has_controls
from essay_scoring.data.rows import shown
from essay_scoring.data.tables import Table

_MISSING = frozenset({"", "nan", "na", "null", "none"})


def id_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return ids without outer white space, none blank and none twice."""
    ids = tuple(cell.strip() for cell in table.column(column))
    first: dict[str, int] = {}
    for row, essay_id in enumerate(ids):
        if not essay_id:
            raise InputError(
                "the id is blank", where=table.where(row, column), mend="give every row an id"
            )
        _require_plain(essay_id, table, row, column)
        earlier = first.setdefault(essay_id, row)
        if earlier != row:
            raise InputError(
                f"the id {shown(essay_id)} is already that of row {earlier + 1}",
                where=table.where(row, column),
                mend="give every essay an id of its own, or remove the repeated row",
            )
    return ids


def text_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return texts as they stand, each with at least one letter or digit."""
    texts = table.column(column)
    for row, text in enumerate(texts):
        if not any(map(str.isalnum, text)):
            raise InputError(
                "the text is blank",
                where=table.where(row, column),
                mend="give the essay's text, or remove the row",
            )
    return tuple(texts)


def prompt_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return prompt names without outer white space, none blank."""
    prompts = tuple(cell.strip() for cell in table.column(column))
    for row, prompt in enumerate(prompts):
        if not prompt:
            raise InputError(
                "the prompt is blank",
                where=table.where(row, column),
                mend="name the prompt, or remove the row",
            )
        _require_plain(prompt, table, row, column)
    return prompts


def label_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return group labels without outer white space, "" where unknown."""
    labels = tuple(cell.strip() for cell in table.column(column))
    for row, label in enumerate(labels):
        _require_plain(label, table, row, column)
    return labels


def _require_plain(name: str, table: Table, row: int, column: str) -> None:
    """Raise InputError for a name with control characters: it is shown in pages and terminals."""
    if has_controls(name):
        raise InputError(
            f"{shown(name)} holds a control character",
            where=table.where(row, column),
            mend="remove the character",
        )


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
    _check_scales(table, prompts, scales)
    scores = number_cells(table, column)
    missing = np.isnan(scores)
    if missing.any() and not may_be_missing:
        raise InputError(
            "the score is missing",
            where=table.where(int(missing.argmax()), column),
            mend="give a score, or remove the row",
        )
    for scale, rows in scales.for_prompts(prompts).items():
        wrong = ~scale.holds(scores[rows]) & ~missing[rows]
        if wrong.any():
            row = int(rows[wrong.argmax()])
            _refuse_score(float(scores[row]), scale, table.where(row, column))
    return np.where(missing, np.nan, scales.round(np.where(missing, 0.0, scores), prompts))


def number_cells(table: Table, column: str) -> FloatArray:
    """Return finite numbers, NaN where a cell is missing, shape (n,)."""
    cells = [cell.strip() for cell in table.column(column)]
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell.lower() not in _MISSING:
            values[row] = _number(cell, table.where(row, column))
    return values


def _number(cell: str, where: str) -> float:
    try:
        # Python also takes 1_000, which is no number in a table.
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{shown(cell)} is not a number",
            where=where,
            mend="write numbers with a decimal point, or map another column",
        )
    return value


def _refuse_score(score: float, scale: ScoreScale, where: str) -> None:
    off = score < scale.low or score > scale.high
    raise InputError(
        f"the score {score:g} is {'off' if off else 'not on a step of'} the scale {scale.span}",
        where=where,
        mend="correct the score, or give the right scale",
    )


def _check_scales(table: Table, prompts: tuple[str, ...], scales: ScoreScales) -> None:
    if scales.shared is not None:
        return
    for row, prompt in enumerate(prompts):
        if prompt not in scales.by_prompt:
            raise InputError(
                f"the prompt {shown(prompt)} has no score scale",
                where=table.where(row),
                mend="add it under [data.corpus.scales.by_prompt]",
            )
