"""audit.json and explain.json as the study page and the model card read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json

Row = dict[str, Any]

_SECTION = ("name", "title", "finding", "verdict", "figures", "tables")
_FIGURE = ("name", "group", "estimate", "n", "low", "high", "limit", "passes")
_TABLE = ("caption", "columns", "rows")


def read_sections(path: Path, of_run: str) -> list[Row]:
    """Return the sections of an audit.json or explain.json of a run.

    Raises InputError for another file, and for one of another run.
    """
    record = read_json(path)
    sections = record.get("sections") if isinstance(record, dict) else None
    if not isinstance(sections, list) or not all(map(_is_section, sections)):
        raise InputError("holds no sections of findings", where=str(path), mend="run it again")
    run = record.get("run")
    named = run.get("folder") if isinstance(run, dict) else run
    if named != of_run:
        raise InputError(
            f"is about the run '{named}', not '{of_run}'", where=str(path), mend="name the other"
        )
    return sections


def _is_section(value: object) -> bool:
    """Tell whether a value has the fields of `audits.findings.Section`."""
    return (
        isinstance(value, dict)
        and all(key in value for key in _SECTION)
        and all(key in figure for figure in value["figures"] for key in _FIGURE)
        and all(key in table for table in value["tables"] for key in _TABLE)
    )
