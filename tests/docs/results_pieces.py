"""What the sections of docs/results.md are made again from: artifacts, tables, and clauses."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from essay_scoring.core.files import read_json
from essay_scoring.records.study_results import StudyRecord
from essay_scoring.reports.study_table import arms_table
from essay_scoring.reports.table_cells import markdown_table
from tests.conftest import ROOT

Row = dict[str, Any]
Quoted = tuple[list[str], set[str]]
"""A section's pieces, tables and clauses in its own words, and its words with digits that are no
figures: names and levels."""

RESULTS = ROOT / "docs" / "results"


@cache
def artifact(name: str) -> Row:
    """Return an artifact of docs/results."""
    found: Row = read_json(RESULTS / f"{name}.json")
    return found


def one(rows: list[Row], **keys: Any) -> Row:
    """Return the only row that has these values."""
    [found] = [row for row in rows if all(row[key] == value for key, value in keys.items())]
    return found


def check(study: Row, arm: str, plan: str, metric: str) -> Row:
    """Return a check of a gate, with its delta and interval."""
    return one(one(study["gates"], arm=arm, plan=plan)["checks"], metric=metric)


def compared(study: Row, arm: str, scheme: str = "prompt_holdout") -> Row:
    """Return the comparison of an arm with the reference: deltas and tests."""
    return one(one(study["comparisons"], scheme=scheme)["arms"], arm=arm)


def record_of(study: Row) -> str:
    """Return the file name of a study's decision."""
    records = (ROOT / "docs" / "decisions").glob("*.md")
    [path] = [x for x in records if f"\nid: {study['folder']}\n" in x.read_text(encoding="utf-8")]
    return path.name


def power(study: Row, plan: str) -> list[float]:
    """Return how many % of equal scorers pass, of how many, low, high, and what is detected."""
    said = one(study["plans"], name=plan)["power"]
    form = r"scorers ([\d.]+)% .*\(n = (\d+), 95% interval ([\d.]+)% to ([\d.]+)%\).* \+([\d.]+) "
    found = re.search(form, said)
    assert found
    return [float(figure) for figure in found.groups()]


def arms(study: Row, scheme: str, *, costs: bool = False) -> str:
    """Return the table of a study's arms under a scheme."""
    table = arms_table(StudyRecord.model_validate(study), scheme, costs=costs)
    return markdown_table(table.header, table.texts)


def span(row: Row) -> str:
    return f"{row['low']:+.3f} to {row['high']:+.3f}"


def clauses(form: str, **said: Any) -> list[str]:
    """Return the clauses of a text, one a paragraph, with the artifacts' figures filled in."""
    return [clause.format(**said) for clause in form.split("\n\n")]
