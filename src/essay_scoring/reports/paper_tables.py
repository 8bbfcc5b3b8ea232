"""Tables for papers and spreadsheets: CSV with every digit, LaTeX as it is printed.

Names come from corpora and folders, and are hostile: to LaTeX, and to spreadsheets, which take a
cell that begins with an equals sign for a formula.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_text
from essay_scoring.core.spreadsheets import harmless_cell
from essay_scoring.records.judgements import CandidatesRecord, JudgementRecord
from essay_scoring.records.study_results import StudyRecord, verified_record
from essay_scoring.reports.comparison_tables import comparison_tables
from essay_scoring.reports.study_table import arms_table, checks_table
from essay_scoring.reports.table_cells import Column, ReportTable, cell_text
from essay_scoring.reports.words import plain

_PARTS = {
    "spread": ("", " SD"),
    "interval": ("", " low", " high"),
    "judged": ("", " low", " high"),
}

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    # After a row's end, these would be read as its option and its star.
    "[": "{[}",
    "*": "{*}",
    "≥": r"$\geq$",
    "±": r"$\pm$",
}


def write_tables(source: Path, folder: Path) -> list[Path]:
    """Write each table of a comparison as NAME.csv and NAME.tex into a folder; return the paths.

    `source` is a study folder, or what judge, compare-cv-runs or study --results wrote as JSON.
    Raises InputError for anything else, EvidenceError for a finished study that was changed.
    """
    texts = {}
    for table in source_tables(source):
        name = re.sub(r"[^\w-]", "-", table.name)
        texts[f"{name}.csv"] = csv_text(table)
        texts[f"{name}.tex"] = latex_text(table)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def source_tables(source: Path) -> list[ReportTable]:
    """Return every table that a comparison on disk has rows for."""
    record = read_comparison(source)
    tables = []
    if isinstance(record, StudyRecord):
        schemes = dict.fromkeys(run.scheme for run in record.runs)
        tables = [arms_table(record, scheme) for scheme in schemes]
    tables.append(checks_table(record.gates))
    for compared in record.comparisons:
        tables += comparison_tables(compared)
    return [table for table in tables if table.rows]


def read_comparison(source: Path) -> StudyRecord | CandidatesRecord | JudgementRecord:
    """Return the record of a study folder, or of a file that compares; InputError for others."""
    path = verified_record(source)
    values = read_json(path)
    for kind in (StudyRecord, CandidatesRecord, JudgementRecord):
        with contextlib.suppress(ValidationError):
            return kind.model_validate(values)
    raise InputError(
        "holds no comparison of this version",
        where=str(path),
        mend="name a study folder, or what judge or compare-cv-runs wrote with --out",
    )


def csv_text(table: ReportTable) -> str:
    """Return a table as CSV: numbers to the last digit, one column each, missing ones empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            harmless(f"{column.title.removesuffix(' [95%]')}{part}")
            for column in table.columns
            for part in _PARTS.get(column.kind, ("",))
        ]
    )
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        writer.writerow([value for column, cell in cells for value in _csv_cells(column, cell)])
    return stream.getvalue()


def latex_text(table: ReportTable) -> str:
    """Return a table as a LaTeX tabular, which needs no package."""
    layout = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    lines = [
        f"% {plain(table.caption)}",
        f"\\begin{{tabular}}{{{layout}}}",
        "\\hline",
        _latex_row([latex(title) for title in table.header]),
        "\\hline",
        *(_latex_row(_latex_cells(table.columns, row)) for row in table.rows),
        "\\hline",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def harmless(text: str) -> str:
    """Return a name on one line that no spreadsheet takes for a formula."""
    return harmless_cell(plain(text))


def latex(text: str) -> str:
    """Return a name as LaTeX prints it, on one line."""
    return "".join(_LATEX.get(mark, mark) for mark in plain(text))


def _csv_cells(column: Column, cell: Any) -> list[Any]:
    """Return the fields of one cell: several for an interval."""
    n_parts = len(_PARTS.get(column.kind, ("",)))
    if cell is None:
        return [""] * n_parts
    if column.kind == "text":
        return [harmless(str(cell))]
    values = cell[:n_parts] if n_parts > 1 else [cell]
    return ["" if value is None else repr(value) for value in values]


def _latex_cells(columns: Sequence[Column], row: Sequence[Any]) -> list[str]:
    """Return the cells of a row; numbers stand in math, where a hyphen is a minus."""
    out = []
    for column, cell in zip(columns, row, strict=True):
        text = cell_text(column, cell)
        if column.kind == "text" or cell is None:
            out.append(latex(text))
        else:
            marks = {"≥": r"\geq", "±": r"\pm", "[": r"\,[", "<": "<"}
            out.append(f"${''.join(marks.get(mark, mark) for mark in text)}$")
    return out


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
