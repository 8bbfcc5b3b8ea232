"""The audit of a run as audit.json, a page, and a summary for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from essay_scoring.core.files import write_text
from essay_scoring.core.record import read_record, write_record
from essay_scoring.records.audit_record import AuditRecord
from essay_scoring.reports.html import environment
from essay_scoring.reports.table_cells import plain_table
from essay_scoring.reports.words import SCHEMES, plain


def write_audit_reports(record: AuditRecord, folder: Path) -> list[Path]:
    """Write audit.json and from it audit.html into a folder, each whole or not at all; the paths.

    Whatever an earlier audit left under these names is replaced.
    """
    write_record(folder / "audit.json", record)
    return [folder / "audit.json", write_audit_page(folder)]


def write_audit_page(folder: Path) -> Path:
    """Write the page of the audit.json in a folder; return its path."""
    path = folder / "audit.html"
    write_text(path, audit_page(read_record(AuditRecord, folder / "audit.json")))
    return path


def audit_page(record: AuditRecord) -> str:
    """Return the record as one self-contained page: a line a section, then the details."""
    run = record.run
    counts = {
        verdict: sum(one.verdict == verdict for one in record.sections)
        for verdict in ("pass", "fail", "undecided", "info")
    }
    return (
        environment()
        .get_template("audit.html.jinja")
        .render(
            run=run,
            where=SCHEMES[run.scheme],
            counts=counts,
            settings=dict(record.settings),
            sections=record.sections,
            provenance=[(name.replace("_", " "), value) for name, value in run],
        )
    )


def audit_text(record: AuditRecord, seconds: Mapping[str, float]) -> str:
    """Return a line a section for a terminal: verdict, seconds and finding."""
    rows = [
        [one.verdict, plain(one.title), f"{seconds[one.name]:.1f} s"] for one in record.sections
    ]
    found = [f"{plain(one.title)}: {plain(one.finding)}" for one in record.sections]
    return "\n".join([plain_table(("verdict", "section", "took"), rows), "", *found])
