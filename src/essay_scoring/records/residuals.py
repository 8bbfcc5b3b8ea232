"""The out-of-fold residual files, `residuals_cv_val_oof.csv` and `.jsonl` (a published contract).

One row an essay: split (the scheme), fold, record_id, prompt, y_true, y_pred_raw, y_pred, residual
(predicted minus true), abs_residual, within_half_band (at most 0.5 points off), then covariates,
empty (null in JSON) where unknown. Numbers are written by `repr`, so they come back exactly.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import parsed, write_text
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
    rows = list(_rows(predictions, scheme, covariates))
    table, lines = folder / f"{stem}.csv", folder / f"{stem}.jsonl"
    records = [",".join(map(_csv_field, row)) for row in rows]
    write_text(table, "\n".join([",".join(COLUMNS), *records]) + "\n")
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    write_text(lines, "".join(f"{encode(dict(zip(COLUMNS, r, strict=True)))}\n" for r in rows))
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


def _rows(
    predictions: Predictions, scheme: str, covariates: Mapping[str, FloatArray]
) -> Iterable[tuple[Any, ...]]:
    """Yield the values of each row in order of COLUMNS, None where unknown."""
    p = predictions
    residual = p.final - p.true
    extra = [
        [value if np.isfinite(value) else None for value in covariates[name].tolist()]
        if name in covariates
        else [None] * len(p)
        for name in COVARIATES
    ]
    return zip(
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
        strict=True,
    )


def _csv_field(value: Any) -> str:
    """Return one CSV field: text that no spreadsheet takes for a formula, numbers by `repr`."""
    if isinstance(value, str):
        return quoted(harmless_cell(value))
    return "" if value is None else repr(value)


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
