"""The arms of a study as one figure: what each differs from the reference by in pooled QWK."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.files import write_text
from essay_scoring.core.record import write_record
from essay_scoring.records.judgements import ArmComparison
from essay_scoring.records.study_results import StudyRecord
from essay_scoring.reports.charts import ACCENT, INK, QUIET, SECOND, drawn
from essay_scoring.reports.html import standalone
from essay_scoring.statistics.comparison import Delta

FIGURE = "pooled_qwk"
_OF_ROLE = {"context": QUIET, "candidate": ACCENT, "tuned": SECOND}
_INCHES_AN_ARM = 0.22


def write_results(path: Path, study: StudyRecord) -> None:
    """Write a study's record, and beside it, with matplotlib, a picture of its arms."""
    write_record(path, study)
    with contextlib.suppress(MissingExtraError):
        figure = arms_svg(study)
        if figure is not None:
            write_text(path.with_suffix(".svg"), figure)


def arms_svg(study: StudyRecord) -> str | None:
    """Return an SVG file of the main scheme's arms, best first; None where none was compared.

    Raises MissingExtraError without matplotlib.
    """
    rows = arms_drawn(study)
    if not rows:
        return None
    words = f"Difference in pooled QWK from the reference of {len(rows)} arms, with 95% intervals"

    def draw(axes: Any) -> None:
        axes.axvline(0.0, color=INK, linewidth=1)
        for place, (arm, delta) in enumerate(reversed(rows)):
            colour = _OF_ROLE[arm.role]
            axes.hlines(place, delta.low, delta.high, color=colour, linewidth=1.6)
            axes.plot([delta.estimate], [place], marker="o", markersize=4, color=colour)
        axes.set_yticks(range(len(rows)), [arm.arm for arm, _ in reversed(rows)])
        axes.grid(visible=False, axis="y")
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("pooled QWK, difference from the reference [95%]")

    height = 0.8 + _INCHES_AN_ARM * len(rows)
    return standalone(drawn(draw, "arms", words, (6.4, height)))


def arms_drawn(study: StudyRecord) -> list[tuple[ArmComparison, Delta]]:
    """Return the arms of the main scheme with the delta that is drawn, the largest first."""
    arms = study.comparisons[0].arms if study.comparisons else ()
    pairs = [(arm, arm.deltas[FIGURE]) for arm in arms]
    known = [(arm, delta) for arm, delta in pairs if delta.estimate is not None]
    return sorted(known, key=lambda pair: -(pair[1].estimate or 0.0))
