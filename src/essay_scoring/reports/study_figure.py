"""The arms of a study as one figure: what each differs from the reference by in pooled QWK."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.files import write_json, write_text
from essay_scoring.reports.charts import ACCENT, INK, QUIET, SECOND, drawn
from essay_scoring.reports.html import standalone
from essay_scoring.reports.study_table import extract

Row = dict[str, Any]

FIGURE = "pooled_qwk"
_OF_ROLE = {"context": QUIET, "candidate": ACCENT, "tuned": SECOND}
_INCHES_AN_ARM = 0.22


def write_results(path: Path, study: Row) -> None:
    """Write a study's figures as small JSON, and beside it, with matplotlib, those of its arms."""
    write_json(path, extract(study))
    with contextlib.suppress(MissingExtraError):
        figure = arms_svg(study)
        if figure is not None:
            write_text(path.with_suffix(".svg"), figure)


def arms_svg(study: Row) -> str | None:
    """Return an SVG file of the main scheme's arms, best first; None where none was compared.

    Raises MissingExtraError without matplotlib.
    """
    rows = arms_drawn(study)
    if not rows:
        return None
    told = f"Difference in pooled QWK from the reference of {len(rows)} arms, with 95% intervals"

    def draw(axes: Any) -> None:
        axes.axvline(0.0, color=INK, linewidth=1)
        for place, row in enumerate(reversed(rows)):
            colour = _OF_ROLE[row["role"]]
            axes.hlines(place, row["low"], row["high"], color=colour, linewidth=1.6)
            axes.plot([row["estimate"]], [place], marker="o", markersize=4, color=colour)
        axes.set_yticks(range(len(rows)), [row["arm"] for row in reversed(rows)])
        axes.grid(visible=False, axis="y")
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("pooled QWK, difference from the reference [95%]")

    height = 0.8 + _INCHES_AN_ARM * len(rows)
    return standalone(drawn(draw, "arms", told, (6.4, height)))


def arms_drawn(study: Row) -> list[Row]:
    """Return what the figure shows: arm, role, estimate, low and high, the largest first."""
    compared = study["comparisons"]
    rows = [
        {"arm": arm["arm"], "role": arm["role"]}
        | {key: delta[key] for key in ("estimate", "low", "high")}
        for arm in (compared[0]["arms"] if compared else [])
        for delta in arm["deltas"]
        if delta["metric"] == FIGURE and delta["estimate"] is not None
    ]
    return sorted(rows, key=lambda row: -float(row["estimate"]))
