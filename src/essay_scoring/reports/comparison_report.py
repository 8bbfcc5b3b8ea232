"""Any number of runs against one reference, as Markdown and as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from essay_scoring.records.judgements import CandidatesRecord, SchemeComparison
from essay_scoring.reports.comparison_tables import comparison_tables
from essay_scoring.reports.forest import arms_forest, gate_forest
from essay_scoring.reports.html import rendered
from essay_scoring.reports.study_table import checks_table
from essay_scoring.reports.table_cells import ReportTable, markdown_table
from essay_scoring.reports.texts import write_texts
from essay_scoring.reports.words import markdown, plain

UNREGISTERED = "Not a registered judgement: that takes the commands register and judge."


def write_comparison_report(record: CandidatesRecord, folder: Path) -> list[Path]:
    """Write comparison.md and comparison.html of a comparison; return the paths."""
    texts = {
        "comparison.md": comparison_markdown(record),
        "comparison.html": comparison_page(record),
    }
    return write_texts(folder, texts)


def comparison_markdown(record: CandidatesRecord) -> str:
    """Return the comparison as Markdown."""
    parts = [f"# Against {markdown(record.reference)}", markdown(record.question)]
    parts += [markdown(answer(record)), UNREGISTERED]
    parts += table_blocks([checks_table(record.gates)], level=2)
    parts += [
        markdown(f"{gate.arm}: {gate.family.line()}.") for gate in record.gates if gate.family
    ]
    parts += [
        markdown(f"{gate.arm}: {difference.line()}.")
        for gate in record.gates
        for difference in gate.differences
    ]
    for comparison in record.comparisons:
        parts += [_missing(comparison)] if comparison.statistics else []
        parts += table_blocks(comparison_tables(comparison), level=2)
    return "\n\n".join(parts) + "\n"


def comparison_page(record: CandidatesRecord) -> str:
    """Return the comparison as one self-contained page."""
    shown = record.comparisons
    return rendered(
        "comparison.html.jinja",
        record=record,
        answer=answer(record),
        caution=UNREGISTERED,
        forests=[arms_forest(comparison) for comparison in shown],
        gates=[gate_forest(gate) for gate in record.gates],
        tables=[table for comparison in shown for table in comparison_tables(comparison)],
        missing=next((_missing(each) for each in shown if each.statistics), None),
    )


def answer(record: CandidatesRecord) -> str:
    """Return in a sentence which candidates passed the plan."""
    by_verdict: dict[str, list[str]] = {}
    for gate in record.gates:
        by_verdict.setdefault(gate.verdict, []).append(plain(gate.arm))
    verdicts = [f"{verdict}: {', '.join(names)}" for verdict, names in by_verdict.items()]
    return f"{record.plan} against {plain(record.reference)}. {'; '.join(verdicts)}."


def table_blocks(tables: Sequence[ReportTable], *, level: int) -> list[str]:
    """Return tables as Markdown, each under a heading of its caption."""
    blocks = []
    for table in tables:
        rows = [
            [
                markdown(text) if column.kind == "text" and cell is not None else text
                for column, cell, text in zip(table.columns, row, texts, strict=True)
            ]
            for row, texts in zip(table.rows, table.texts, strict=True)
        ]
        blocks += [f"{'#' * level} {table.caption}", markdown_table(table.header, rows)]
    return blocks


def _missing(comparison: SchemeComparison) -> str:
    """Return what a comparison leaves out, and how to have it."""
    return f"Left out, the mixed model and the covariates: {comparison.statistics}."
