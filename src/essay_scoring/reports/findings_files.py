"""audit.json and explain.json as the study page and the model card read them."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from essay_scoring.audits.findings import Section
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json

_SECTIONS = TypeAdapter(list[Section])


def read_sections(path: Path, of_run: str) -> list[Section]:
    """Return the sections of an audit.json or explain.json of a run.

    Raises InputError for another file, and for one of another run.
    """
    record = read_json(path)
    try:
        sections, run = _SECTIONS.validate_python(record["sections"]), record["run"]["folder"]
    except (KeyError, TypeError, ValidationError):
        raise InputError(
            "holds no sections of findings", where=str(path), mend="run it again"
        ) from None
    if run != of_run:
        raise InputError(
            f"is about the run '{run}', not '{of_run}'", where=str(path), mend="name the other"
        )
    return sections
