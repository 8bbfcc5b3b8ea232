"""The audit of a run as audit.json, a page, and a summary for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from essay_scoring.core.files import write_text
from essay_scoring.core.record import write_record
from essay_scoring.records.audit_record import AuditRecord
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.reports.brief import Asked, brief
from essay_scoring.reports.html import FROM_RUN, rendered
from essay_scoring.reports.study_evidence import deciding_study
from essay_scoring.reports.table_cells import plain_table
from essay_scoring.reports.words import SCHEMES, plain


def write_audit_reports(
    record: AuditRecord, folder: Path, run: RunRecord | None = None
) -> list[Path]:
    """Write audit.json and from it audit.html into a folder, each whole or not at all; the paths.

    With the run itself the page also answers what a decision-maker asks.

    Whatever an earlier audit left under these names is replaced.
    """
    write_record(folder / "audit.json", record)
    write_text(folder / "audit.html", audit_page(record, run))
    return [folder / "audit.json", folder / "audit.html"]


def audit_page(record: AuditRecord, audited: RunRecord | None = None) -> str:
    """Return the record as one self-contained page: in short, a line a section, the details."""
    run = record.run
    answers = []
    if audited is not None:
        study = deciding_study(audited.folder.resolve().parent, run.folder)
        answers = brief(Asked.of_run(audited, record.sections, study))
    counts = {
        verdict: sum(one.verdict == verdict for one in record.sections)
        for verdict in ("pass", "fail", "undecided", "info")
    }
    return rendered(
        "audit.html.jinja",
        home=FROM_RUN,
        run=run,
        answers=answers,
        where=SCHEMES[run.scheme],
        counts=counts,
        settings=dict(record.settings),
        sections=record.sections,
        provenance=[(name.replace("_", " "), value) for name, value in run],
    )


def audit_text(record: AuditRecord, seconds: Mapping[str, float]) -> str:
    """Return a line a section for a terminal: verdict, seconds and finding."""
    rows = [
        [one.verdict, plain(one.title), f"{seconds[one.name]:.1f} s"] for one in record.sections
    ]
    found = [f"{plain(one.title)}: {plain(one.finding)}" for one in record.sections]
    return "\n".join([plain_table(("verdict", "section", "took"), rows), "", *found])
