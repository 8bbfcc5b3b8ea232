"""Columns of a table as ids, texts, prompts, scores and labels, each cell checked.

What is wrong is noted in the table, with row and column, and told at once by `Table.check`; until
then a placeholder stands in its place. No error shows a long cell, since a column map may be wrong
and point at the essays.
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass

import numpy as np

from essay_scoring.core.scale import FloatArray, IntArray, ScoreScale, ScoreScales
from essay_scoring.core.text import has_controls, name_key, plain_name
from essay_scoring.data.rows import shown
from essay_scoring.data.tables import Table

MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "<na>", "null", "none"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d.*")
_SHORTENED = re.compile(r"\d[.,]\d+[eE]\+\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_MEANS, _FEW = 0.1, 3
_MOST_LABELS, _SHARE_OF_REPEATS = 13, 4
_LARGEST_WEIGHT = 1e12
_NO_SCORE = "the score is missing", "give a score, or remove the row"

_log = logging.getLogger(__name__)


def id_cells(table: Table, column: str | None, *, may_repeat: bool = False) -> tuple[str, ...]:
    """Return ids in one form, none blank and none twice; the rows' numbers where there is none."""
    if column is None:
        return tuple(str(row.number) for row in table.rows)
    ids = tuple(map(plain_name, _names(table, column, "id", "give every row an id")))
    first: dict[str, int] = {}
    earlier = [first.setdefault(essay_id, row) for row, essay_id in enumerate(ids)]
    again = [row for row, at in enumerate(earlier) if at != row and ids[row]]
    many = len(again) * _SHARE_OF_REPEATS > len(ids)
    for row in () if may_repeat else again[:1] if many else again:
        what = f"the id {shown(ids[row])} is already that of row {table.rows[earlier[row]].number}"
        what += f" ({len(again)} of {len(ids)} rows repeat an id)" if many else ""
        mend = (
            "give every essay an id of its own, or remove the repeated row; where each row is one "
            "rater's score, name the raters' column with data.corpus.columns.rater"
        )
        if _SHORTENED.fullmatch(ids[row]):
            mend = (
                "a spreadsheet shortened long numbers: make the column text there and export again"
            )
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
    """Return prompt names as they are spelled, none blank."""
    return _names(table, column, "prompt", "name the prompt, or remove the row")


def label_cells(table: Table, column: str) -> tuple[str, ...]:
    """Return group labels in one form, "" where unknown."""
    return tuple(map(plain_name, _names(table, column)))


def _names(table: Table, column: str, what: str = "", mend: str = "") -> tuple[str, ...]:
    """Return names as they are written; what may not be blank is called `what`."""
    names = tuple(map(table.file.bare, table.column(column)))
    for row, name in enumerate(names):
        if what and not plain_name(name):
            table.fault(row, f"the {what} is blank", mend, column)
        elif has_controls(name):
            # It is shown in pages and terminals.
            fault = f"{shown(name)} holds a control character"
            table.fault(row, fault, "remove the character", column)
    return names


@dataclass(frozen=True)
class ScoreReading:
    """How scores are read: the names of the scale's labels, and whether they may lie between them.

    `real` None leaves it to the column: where a tenth of its scores lie between labels, they are
    means of several raters and no slips.
    """

    labels: tuple[str, ...] = ()
    real: bool | None = None


NUMBERS, LABELS_ALONE = ScoreReading(), ScoreReading(real=False)


def score_cells(
    table: Table,
    column: str,
    prompts: tuple[str, ...],
    scales: ScoreScales,
    reading: ScoreReading = NUMBERS,
    *,
    may_be_missing: bool = False,
) -> FloatArray:
    """Return scores within their prompt's scale, shape (n,); NaN where one may be missing.

    Each is a label of the scale, unless they are real-valued as a whole (`reading`). A blank cell,
    `nan`, `NA`, `null` and `none` are missing.
    """
    scores = _numbers_of(table, column, scales, reading, required=not may_be_missing)
    between: list[int] = []
    faults: list[tuple[int, str, str, str | None]] = []
    scale_of = {prompt: _scale_of(prompt, scales) for prompt in set(prompts)}
    rows_of: dict[ScoreScale | None, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows_of.setdefault(scale_of[prompt], []).append(row)
    for scale, rows in rows_of.items():
        if scale is not None:
            within, off = _apart(scores, np.array(rows), scale)
            between += within
            mend = "correct the score, or give the right scale"
            what = f"is off the scale {scale.span}"
            faults += [(row, f"the score {scores[row]:g} {what}", mend, column) for row in off]
        elif not may_be_missing:
            mend = "add it under [data.corpus.scales.by_prompt]"
            what = "has no score scale"
            faults += [
                (row, f"the prompt {shown(prompts[row])} {what}", mend, None) for row in rows
            ]
    for fault in sorted(faults):
        table.fault(*fault)
    between.sort()
    enough = max(_FEW, _MEANS * len(scores))
    real = len(between) >= enough if reading.real is None else reading.real
    if between and real:
        _log.warning(
            "%s, column '%s': %d of %d scores lie between the labels of their scale; they are "
            "learnt as they are, and rounded to the nearest label for agreement",
            table.path,
            column,
            len(between),
            len(scores),
        )
    for row in () if real else between:
        span = scales.of(prompts[row]).span
        what = f"the score {scores[row]:g} is not on a step of the scale {span}"
        mend = "correct the score, give the right scale, or set real_scores = true for means"
        table.fault(row, what, mend, column)
    return scores


def _apart(scores: FloatArray, rows: IntArray, scale: ScoreScale) -> tuple[list[int], list[int]]:
    """Make labels exact; return the rows that lie between labels, and those off the scale."""
    own = scores[rows]
    held = scale.holds(own)
    scores[rows[held]] = scale.round(own[held])
    within = ~held & (own >= scale.low) & (own <= scale.high)
    off = ~held & ~within & ~np.isnan(own)
    return rows[within].tolist(), rows[off].tolist()


def _numbers_of(
    table: Table, column: str, scales: ScoreScales, reading: ScoreReading, *, required: bool
) -> FloatArray:
    """Return numbers, or the places of named labels on the scale; NaN where missing."""
    if not reading.labels or scales.shared is None:
        return number_cells(table, column, required=required)
    place = {name_key(name): at for at, name in enumerate(reading.labels)}
    values = np.full(table.n_rows, np.nan)
    for row, cell in enumerate(table.column(column)):
        at = place.get(name_key(cell))
        if at is not None:
            values[row] = scales.shared.labels[at]
        elif cell.strip().lower() not in MISSING:
            what = f"{shown(cell.strip())} is none of the labels {', '.join(reading.labels)}"
            table.fault(row, what, "correct the score, or complete data.corpus.labels", column)
        elif required:
            table.fault(row, *_NO_SCORE, column)
    return values


def _scale_of(prompt: str, scales: ScoreScales) -> ScoreScale | None:
    return scales.shared if scales.shared is not None else scales.by_prompt.get(prompt)


def number_cells(table: Table, column: str, *, required: bool = False) -> FloatArray:
    """Return finite numbers, NaN where a cell is missing, shape (n,)."""
    cells = [cell.strip() for cell in table.column(column)]
    comma = table.file.decimal == "," or (
        table.file.decimal == "auto" and any(map(_DECIMAL_COMMA.fullmatch, cells))
    )
    values = np.full(len(cells), np.nan)
    wrong = []
    for row, cell in enumerate(cells):
        if cell.lower() not in MISSING:
            values[row] = _number(cell, comma=comma)
            if math.isnan(values[row]):
                wrong.append(row)
        elif required:
            table.fault(row, *_NO_SCORE, column)
    none = len(wrong) == len(cells) > 1
    for row in wrong[:1] if none else wrong:
        more = f", nor is any other of {len(cells)} cells" if none else ""
        what = f"{shown(cells[row])} is not a number{more}"
        table.fault(row, what, _no_number(cells, comma), column)
    return values


def weight_cells(table: Table, column: str) -> FloatArray:
    """Return weights, each a number greater than 0, shape (n,)."""
    values = number_cells(table, column)
    for row, cell in enumerate(table.column(column)):
        mend = "give a weight greater than 0, or remove the row"
        if cell.strip().lower() in MISSING:
            table.fault(row, "the weight is missing", mend, column)
        elif values[row] <= 0:
            table.fault(row, f"the weight {values[row]:g} is not greater than 0", mend, column)
        elif values[row] > _LARGEST_WEIGHT or values[row] < 1 / _LARGEST_WEIGHT:
            what = f"the weight {values[row]:g} is not from 1e-12 to {_LARGEST_WEIGHT:g}"
            table.fault(row, what, "scale the weights: only their ratios count", column)
    return values


def _no_number(cells: list[str], comma: bool) -> str:
    """Return what to do about cells that are no numbers: few short words may be labels."""
    if any(map(_DATE.fullmatch, cells)):
        return "a spreadsheet made dates of numbers: write the numbers again, in a column of text"
    words = sorted(set(cells))
    if len(words) <= _MOST_LABELS and all(re.fullmatch(r"[A-Za-z]\S{0,9}", word) for word in words):
        return f"name the labels in their order, data.corpus.labels = {words}"
    mark = "comma" if comma else "point"
    return (
        f"write numbers with a decimal {mark}, without marks of thousands or percent, set decimal "
        "to the other one, or map another column"
    )


def _number(cell: str, *, comma: bool) -> float:
    """Return a finite number, NaN for what is none; Python also takes 1_000, which is none."""
    if "_" in cell or (comma and "." in cell):
        return math.nan
    try:
        value = float(cell.replace(",", ".", 1) if comma else cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
