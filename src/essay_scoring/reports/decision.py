"""The decision record of a study: question, evidence, verdicts, outcome, in Markdown."""

from __future__ import annotations

from typing import Any

from essay_scoring.reports.study_table import (
    CHECK_HEADER,
    HEADER,
    check_row,
    markdown_table,
    sections,
)

_CONSEQUENCE = {
    "proceed": "Continue with the arm decided for, with one constrained tuning round.",
    "defer": "No justified uplift: keep the reference, and defer the candidates.",
    "inconclusive": "Keep the reference until the evidence named above is valid and decided.",
}


def decision_record(study: dict[str, Any], folder: str) -> str:
    """Return the Markdown of a decision; every number in it stands in study.json."""
    parts = [_front_matter(study, folder), f"# {study['name']}: {study['outcome']}"]
    parts += ["## Question", study["question"], "## Evidence"]
    for section in sections(study):
        parts.append(
            f"`{section.scheme}`, {section.n} essays, mean over folds ± population standard "
            "deviation; intervals are 95%, by resampling prompts and essays within them."
        )
        parts.append(markdown_table(HEADER, section.rows))
    parts.append("## Verdicts")
    parts += [_verdict(gate) for gate in study["gates"]]
    parts += ["## Outcome", f"**{study['outcome']}**. {study['reason']}"]
    parts += ["## Consequences", _CONSEQUENCE[study["outcome"]], "## Runs", _runs(study)]
    return "\n\n".join(parts) + "\n"


def _front_matter(study: dict[str, Any], folder: str) -> str:
    plans = sorted({f"{gate['plan']}@{gate['plan_sha256'][:12]}" for gate in study["gates"]})
    git = study["git"]
    return "\n".join(
        [
            "---",
            f"id: {folder}",
            f"date: {study['date']}",
            "status: recorded",
            f"outcome: {study['outcome']}",
            f"decided_run: {study['decided_run']}",
            f"plans: [{', '.join(plans)}]",
            f"data_sha256: {study['data']['data_sha256']}",
            f"splits_sha256: {study['data']['splits_sha256']}",
            f"code_revision: {study['code_revision'][:12]}",
            f"git: {git['commit']}{' (dirty)' if git['dirty'] else ''}",
            "---",
        ]
    )


def _verdict(gate: dict[str, Any]) -> str:
    """Return one gate's verdict with its checks, or why its evidence is invalid."""
    head = (
        f"### {gate['arm']}, gate `{gate['plan']}`: {gate['verdict']}\n\n"
        f"Rule `{gate['rule']}`, scheme `{gate['scheme']}`, plan `{gate['plan_sha256'][:12]}`."
    )
    if gate["verdict"] == "invalid":
        return f"{head}\n\nInvalid evidence: {gate['reason']}"
    rows = [check_row(check) for check in gate["checks"]]
    return f"{head}\n\n{markdown_table(CHECK_HEADER, rows)}"


def _runs(study: dict[str, Any]) -> str:
    return "\n".join(
        f"- `{run['run']}` ({run['role']}, `{run['scheme']}`), manifest "
        f"`{run['manifest_sha256'][:12]}`"
        for run in study["runs"]
    )
