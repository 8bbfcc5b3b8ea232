"""The reports of a study: its decision record and one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_text
from essay_scoring.reports.decision import decision_record
from essay_scoring.reports.html import environment
from essay_scoring.reports.study_table import HEADER, sections

_PLACED = ("delta", "low", "high", "threshold")


def write_study_reports(folder: Path) -> list[Path]:
    """Write `decision.md` and `report.html` of a study folder from its study.json."""
    study = read_json(folder / "study.json")
    reports = {"decision.md": decision_record(study, folder.name), "report.html": study_page(study)}
    for name, text in reports.items():
        write_text(folder / name, text)
    return [folder / name for name in reports]


def study_page(study: dict[str, Any]) -> str:
    """Return the HTML of a study: the decision first, then the evidence."""
    template = environment().get_template("study.html.jinja")
    return template.render(
        study=study,
        deltas=[delta_plot(gate) for gate in study["gates"]],
        sections=sections(study),
        header=HEADER,
        provenance=_provenance(study),
    )


def delta_plot(gate: dict[str, Any]) -> dict[str, Any]:
    """Return a gate's checks with places from 0 to 100 along one axis that holds them all."""
    head = {key: gate[key] for key in ("arm", "plan", "verdict", "rule", "scheme")}
    checks = gate.get("checks", [])
    values = [check[key] for check in checks for key in _PLACED if check[key] is not None]
    reach = max([0.01, *(abs(value) for value in values)]) * 1.05

    def place(value: float | None) -> float | None:
        return None if value is None else round(50 + 50 * value / reach, 2)

    ticks = [(place(value), f"{value:+.2f}") for value in (-reach, 0.0, reach)]
    rows = [check | {f"{key}_at": place(check[key]) for key in _PLACED} for check in checks]
    reason = gate.get("reason")
    return {**head, "reason": reason, "zero": place(0.0), "ticks": ticks, "rows": rows}


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
        *((f"plan {gate['plan']}", gate["plan_sha256"]) for gate in study["gates"]),
    ]
