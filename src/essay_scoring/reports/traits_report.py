"""The table of a study's traits, for the terminal and as a page."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.records.manifest import VIEWS
from essay_scoring.records.trait_results import TraitRow, TraitsRecord
from essay_scoring.reports.html import FROM_GROUP, rendered
from essay_scoring.reports.table_cells import Column, ReportTable
from essay_scoring.reports.texts import write_texts
from essay_scoring.statistics.agreement import Estimate

MEAN = "mean over traits"

_COLUMNS = (
    Column("trait", "text"),
    Column("arm", "text"),
    Column("pooled QWK [95%]", "interval"),
    Column("less the reference's [95%]", "interval", signed=True),
    Column("n", "count"),
)


def traits_table(record: TraitsRecord) -> ReportTable:
    """Return the arms by trait, and each arm's mean over traits."""
    caption = f"Pooled QWK by trait under {record.scheme}, {record.n_prompts} prompts"
    return ReportTable("traits", caption, _COLUMNS, list(map(_cells, record.rows)))


def _cells(row: TraitRow) -> list[object]:
    delta = None if row.delta is None else _ends(row.delta)
    return [row.trait or MEAN, f"{row.role}: {row.arm}", _ends(row.qwk), delta, row.qwk.n]


def _ends(figure: Estimate) -> tuple[float | None, float | None, float | None]:
    return figure.estimate, figure.low, figure.high


def write_traits_views(folder: Path, record: TraitsRecord) -> list[Path]:
    """Write `report.html` of a traits' folder under views/; its path."""
    decisions = [
        (one.trait, one.outcome, one.decided_arm, f"RUNS/studies/{one.study}")
        for one in record.studies
    ]
    values = {"record": record, "table": traits_table(record), "decisions": decisions}
    page = rendered("traits.html.jinja", home=FROM_GROUP, **values)
    return write_texts(folder / VIEWS, {"report.html": page})
