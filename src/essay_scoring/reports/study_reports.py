"""The reports of a study: its decision record and one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_text
from essay_scoring.reports.comparison_tables import comparison_tables
from essay_scoring.reports.decision import consequence, decision_record, order_table, tuning_line
from essay_scoring.reports.forest import arms_forest, gate_forest
from essay_scoring.reports.html import environment
from essay_scoring.reports.study_table import HEADER, sections


def write_study_reports(folder: Path) -> list[Path]:
    """Write `decision.md` and `report.html` of a study folder from its study.json."""
    study = read_json(folder / "study.json")
    reports = {"decision.md": decision_record(study), "report.html": study_page(study)}
    for name, text in reports.items():
        write_text(folder / name, text)
    return [folder / name for name in reports]


def study_page(study: dict[str, Any]) -> str:
    """Return the HTML of a study: the decision first, then the evidence."""
    shown = study["comparisons"]
    return (
        environment()
        .get_template("study.html.jinja")
        .render(
            study=study,
            consequence=consequence(study),
            order=order_table(study),
            tuning=tuning_line(study["tuning"]) if study["tuning"] else None,
            forests=[arms_forest(one) for one in shown],
            gates=[gate_forest(gate) for gate in study["gates"]],
            sections=sections(study),
            header=HEADER,
            tables=[table for one in shown for table in comparison_tables(one)],
            missing=next((one["statistics"] for one in shown if one["statistics"]), None),
            provenance=_provenance(study),
        )
    )


def _provenance(study: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the decision rests on, as pairs."""
    git, data, machine = study["git"], study["data"], study["machine"]
    return [
        ("date", study["date"]),
        ("data", str(data["data_sha256"])),
        ("splits", str(data["splits_sha256"])),
        ("code", study["code_revision"]),
        ("commit", f"{git['commit']}{' (dirty)' if git['dirty'] else ''}"),
        ("machine", f"{machine['processor']}, {machine['threads']} threads"),
        *((f"plan {plan['name']}", plan["sha256"]) for plan in study["plans"]),
    ]
