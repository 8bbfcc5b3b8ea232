"""The explanation of a run as explain.json, a page, a figure, and a summary for a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.number_text import number, with_interval
from essay_scoring.core.record import read_record, write_record
from essay_scoring.records.audit_record import AuditSection, ExplainRecord, Figure
from essay_scoring.reports.charts import ACCENT, INK, QUIET, drawn
from essay_scoring.reports.html import FROM_RUN, Drawing, drawings, rendered, standalone
from essay_scoring.reports.table_cells import plain_table
from essay_scoring.reports.texts import write_texts
from essay_scoring.reports.words import plain

SHAP, DROP, CARD = "shap_by_construct", "drop_column", "failure_card"


def write_explain_reports(record: ExplainRecord, folder: Path) -> list[Path]:
    """Write explain.json and from it explain.html and, with matplotlib, explain.svg; their paths.

    Whatever an earlier explanation left under these names is replaced.
    """
    write_record(folder / "explain.json", record)
    return [folder / "explain.json", *write_explain_pages(folder)]


def write_explain_pages(folder: Path) -> list[Path]:
    """Write the page and the figure of the explain.json in a folder; return their paths."""
    record = read_record(ExplainRecord, folder / "explain.json")
    texts = {"explain.html": explain_page(record)}
    with contextlib.suppress(MissingExtraError):
        draw, said = _wanted(record)["contributions"]
        if draw is not None:
            texts["explain.svg"] = standalone(drawn(draw, "contributions", said))
    paths = write_texts(folder, texts)
    if "explain.svg" not in texts:
        (folder / "explain.svg").unlink(missing_ok=True)
    return paths


def explain_page(record: ExplainRecord) -> str:
    """Return the record as one self-contained page: findings, bars, then a card a prompt."""
    return rendered(
        "explain.html.jinja",
        home=FROM_RUN,
        run=record.run,
        drawings=drawings(_wanted(record)),
        sections=[vars(one) | _rows(one) for one in _sections(record)],
        cards=[vars(one) | _rows(one) for one in _sections(record, cards=True)],
    )


def explain_text(record: ExplainRecord) -> str:
    """Return the findings and the constructs of a record for a terminal."""
    parts = []
    for one in _sections(record):
        parts += [one.finding, plain_table(**_rows(one))]
    cards = _sections(record, cards=True)
    return "\n\n".join(parts + [f"{plain(one.title)}: {one.finding}" for one in cards])


def bars(figures: Sequence[Figure], label: str) -> Callable[[Any], None] | None:
    """Return a drawing of figures as horizontal bars with their intervals, the first on top."""
    shown = [figure for figure in figures if figure.estimate is not None]
    if not shown:
        return None

    def draw(axes: Any) -> None:
        places = range(len(shown))
        values = [figure.estimate for figure in shown]
        axes.barh(places, values, color=ACCENT, height=0.62)
        for place, figure in zip(places, shown, strict=True):
            if figure.low is not None:
                # Two widths: on a bar and beyond it the interval must be seen alike.
                axes.hlines(place, figure.low, figure.high, color=INK, linewidth=1.6)
                axes.plot([figure.estimate], [place], color=INK, marker="|", markersize=7)
        axes.axvline(0, color=QUIET, linewidth=1)
        axes.set_yticks(places, [figure.group for figure in shown])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(label)

    return draw


def _wanted(record: ExplainRecord) -> dict[str, Drawing]:
    """Return how to draw the constructs' contributions and refits, and the same in words."""
    figures = {one.name: one.figures for one in record.sections}
    contributions, refits = figures.get(SHAP, []), figures.get(DROP, [])
    return {
        "contributions": (
            bars(contributions, f"mean |phi|, {record.run.unit}"),
            _said("How far each construct moves a prediction on average", contributions),
        ),
        "refits": (
            bars(refits, "change of mean QWK when left out"),
            _said("How mean QWK changes when each construct is left out", refits),
        ),
    }


def _said(head: str, figures: Sequence[Figure]) -> str:
    """Return a drawing in words, for those who cannot see it."""
    rows = (f"{row.group} {number(row.estimate)}" for row in figures)
    return f"{head}: {', '.join(rows)}"


def _sections(record: ExplainRecord, *, cards: bool = False) -> list[AuditSection]:
    """Return the failure cards of a record, or what else it has."""
    return [one for one in record.sections if (one.name == CARD) == cards]


def _rows(section: AuditSection) -> dict[str, Any]:
    """Return header and rows of a section's figures: construct, or on a card figure; estimate; n.

    All figures of a card are of its prompt, all others of a section have one name.
    """
    card, signed = section.name == CARD, section.name == DROP
    shared = ", ".join(dict.fromkeys(plain(figure.name) for figure in section.figures))
    rows = [
        [plain(figure.name if card else figure.group), _cell(figure, signed), str(figure.n)]
        for figure in section.figures
    ]
    estimate = "estimate [95%]" if card else f"{shared} [95%]"
    return {"header": ("figure" if card else "construct", estimate, "n"), "rows": rows}


def _cell(figure: Figure, signed: bool) -> str:
    if figure.low is None:
        return number(figure.estimate, sign=signed)
    return with_interval(figure.estimate, figure.low, figure.high, sign=signed)
