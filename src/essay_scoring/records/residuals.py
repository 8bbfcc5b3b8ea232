"""The out-of-fold residual files, `residuals_cv_val_oof.csv` and `.jsonl` (a published contract).

One row an essay: split (the scheme), fold, record_id, prompt, y_true, y_pred_raw, y_pred, residual
(predicted minus true), abs_residual, within_half_band (at most 0.5 points off), then covariates,
empty (null in JSON) where unknown. Numbers are written by `repr`, so they come back exactly.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import atomic_path, parsed
from essay_scoring.core.scale import FloatArray, ScoreScales
from essay_scoring.core.spreadsheets import bare_cell, harmless_cell, quoted
from essay_scoring.statistics.predictions import Predictions

STEM = "residuals_cv_val_oof"
COVARIATES = (
    "word_count",
    "grammar_errors_per_100_words",
    "spelling_errors_per_100_words",
    "punctuation_errors_per_100_words",
    "prompt_similarity",
)
MAX_FOLD = 10_000
HALF_BAND, ROUNDING = 0.5, 1e-9
_KEYS = ("split", "fold", "record_id", "prompt", "y_true", "y_pred_raw", "y_pred")
COLUMNS = (*_KEYS, "residual", "abs_residual", "within_half_band", *COVARIATES)
_CSV_LINE = ",".join(["%s"] * len(COLUMNS)) + "\n"
_JSON_LINE = "{" + ", ".join(f'"{name}": %s' for name in COLUMNS) + "}\n"
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, eq=False)
class Residuals:
    """What a residual file holds: the scheme, the predictions, and covariates (n,), NaN unknown."""

    scheme: str
    predictions: Predictions
    covariates: dict[str, FloatArray]


def write_residuals(
    folder: Path,
    predictions: Predictions,
    scheme: str,
    covariates: Mapping[str, FloatArray],
    *,
    stem: str = STEM,
) -> tuple[Path, Path]:
    """Write `stem`.csv and .jsonl into `folder`, each whole or not at all; return their paths.

    `covariates` may lack columns of COVARIATES, and NaN stands for unknown; others are an error.
    """
    unknown = sorted(set(covariates) - set(COVARIATES))
    if unknown:
        raise ValueError(f"not covariates of the residual files: {unknown}")
    columns = _columns(predictions, scheme, covariates)
    table, lines = folder / f"{stem}.csv", folder / f"{stem}.jsonl"
    _write(table, ",".join(COLUMNS) + "\n", _CSV_LINE, _csv_fields, columns)
    _write(lines, "", _JSON_LINE, _json_fields, columns)
    return table, lines


def read_residuals(path: Path, scales: ScoreScales) -> Residuals:
    """Return what a residual file (.csv or .jsonl) holds; scores must lie on `scales`.

    Raises InputError naming file, row (1 is the first after the header) and column.
    """
    columns = _read_csv(path) if path.suffix == ".csv" else _read_jsonl(path)
    schemes = set(map(str, columns["split"]))
    if len(schemes) != 1:
        raise InputError(f"{len(schemes)} values in column split, not one", where=str(path))
    ids = tuple(map(str, columns["record_id"]))
    if len(set(ids)) < len(ids):
        raise InputError("a record_id occurs twice", where=str(path))
    true, raw, final, fold = (
        _numbers(path, name, columns[name]) for name in ("y_true", "y_pred_raw", "y_pred", "fold")
    )
    prompts = tuple(map(str, columns["prompt"]))
    wrong_fold = (fold != np.floor(fold)) | (np.abs(fold) > MAX_FOLD)
    _refuse(path, "fold", wrong_fold, "is not a fold number")
    for name, scores in (("y_true", true), ("y_pred", final)):
        on_scale = np.zeros(len(ids), dtype=bool)
        for scale, rows in scales.for_prompts(prompts).items():
            on_scale[rows] = scale.holds(scores[rows])
        _refuse(path, name, ~on_scale, "is not a score of its scale")
    return Residuals(
        schemes.pop(),
        Predictions(ids, prompts, fold.astype(np.int64), true, raw, final, scales),
        {name: _numbers(path, name, columns[name], optional=True) for name in COVARIATES},
    )


def _columns(
    predictions: Predictions, scheme: str, covariates: Mapping[str, FloatArray]
) -> list[Sequence[Any]]:
    """Return the values of each of COLUMNS, None where unknown."""
    p = predictions
    residual = p.final - p.true
    extra = [
        [value if np.isfinite(value) else None for value in covariates[name].tolist()]
        if name in covariates
        else [None] * len(p)
        for name in COVARIATES
    ]
    return [
        [scheme] * len(p),
        p.folds.tolist(),
        p.ids,
        p.prompts,
        p.true.tolist(),
        p.raw.tolist(),
        p.final.tolist(),
        residual.tolist(),
        np.abs(residual).tolist(),
        (np.abs(residual) <= HALF_BAND + ROUNDING).tolist(),
        *extra,
    ]


def _write(
    path: Path,
    header: str,
    line: str,
    fields: Callable[[Sequence[Any]], list[str]],
    columns: Sequence[Sequence[Any]],
) -> None:
    """Write a header and a line for each row, many at a time: `fields` writes part of a column."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(header)
        for start in range(0, len(columns[0]), _ROWS_AT_ONCE):
            some = (fields(values[start : start + _ROWS_AT_ONCE]) for values in columns)
            file.writelines(line % row for row in zip(*some, strict=True))


def _csv_fields(values: Sequence[Any]) -> list[str]:
    """Return CSV fields: text that no spreadsheet takes for a formula, numbers by `repr`."""
    if not isinstance(values[0], str):
        return ["" if value is None else repr(value) for value in values]
    written = {text: quoted(harmless_cell(text)) for text in set(values)}
    return [written[text] for text in values]


def _json_fields(values: Sequence[Any]) -> list[str]:
    """Return the values as JSON; ValueError for NaN and infinity."""
    if not isinstance(values[0], str):
        return json.dumps(values, allow_nan=False)[1:-1].split(", ")
    written = {text: json.dumps(text, ensure_ascii=False) for text in set(values)}
    return [written[text] for text in values]


def _read_csv(path: Path) -> dict[str, Sequence[Any]]:
    """Return the columns of a CSV file as text."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream, strict=True)) or [[]]
    except FileNotFoundError:
        raise InputError("no such residual file", where=str(path)) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"not a CSV file ({error})", where=str(path)) from None
    if tuple(header) != COLUMNS:
        raise InputError("its columns are not those of a residual file", where=str(path))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(COLUMNS):
            where = f"{path}, row {number}"
            raise InputError(f"{len(row)} fields, not {len(COLUMNS)}", where=where)
    return _by_column(path, [[bare_cell(cell) for cell in row] for row in rows])


def _read_jsonl(path: Path) -> dict[str, Sequence[Any]]:
    """Return the columns of a JSONL file."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError("no such residual file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text ({error})", where=str(path)) from None
    lines = lines[:-1] if lines[-1] == "" else lines
    try:
        # A million lines are parsed in one call; what is wrong with one is looked for then.
        records = json.loads(f"[{','.join(lines)}]")
    except (ValueError, RecursionError):
        records = []
    if len(records) != len(lines):
        records = [
            parsed(json.loads, line, "JSON", f"{path}, row {number}")
            for number, line in enumerate(lines, start=1)
        ]
    for number, record in enumerate(records, start=1):
        nested = isinstance(record, dict) and {list, dict} & set(map(type, record.values()))
        if not isinstance(record, dict) or tuple(record) != COLUMNS or nested:
            raise InputError("not a residual record", where=f"{path}, row {number}")
    rows = [tuple(record.values()) for record in records]
    return _by_column(path, rows)


def _by_column(path: Path, rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Return the columns of rows by name."""
    if not rows:
        raise InputError("no rows", where=str(path))
    return dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))


def _numbers(path: Path, name: str, values: Sequence[Any], *, optional: bool = False) -> FloatArray:
    """Return a column as finite numbers (n,), NaN where an optional one is empty."""
    if optional:
        values = [np.nan if value in ("", None) else value for value in values]
    out = np.full(len(values), np.inf)
    for row, value in enumerate(values):
        try:
            out[row] = float(value)
        except (TypeError, ValueError, OverflowError):
            continue
    _refuse(path, name, np.isinf(out) if optional else ~np.isfinite(out), "is not a number")
    return out


def _refuse(path: Path, column: str, faulty: Any, why: str) -> None:
    """Raise InputError for the first faulty row of a column, if there is one."""
    rows = np.flatnonzero(faulty)
    if len(rows):
        raise InputError(f"column {column} {why}", where=f"{path}, row {rows[0] + 1}")
