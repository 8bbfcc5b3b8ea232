"""`report.html`: one self-contained page about one run; no network, no JavaScript."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.number_text import (
    MISSING,
    held,
    number,
    probability,
    share,
    threshold,
    with_interval,
)
from essay_scoring.records.audit_record import Figure
from essay_scoring.records.config import shown_config
from essay_scoring.records.finished_run import RunRecord
from essay_scoring.reports import charts as figures
from essay_scoring.reports.cv_report import fitted_rows, provenance_rows
from essay_scoring.reports.score_tables import prompt_matrices, scales_table
from essay_scoring.reports.study_table import HEADER, summary_row
from essay_scoring.reports.words import SCHEMES, TRANSDUCTIVE, figure_names, headline, score
from essay_scoring.statistics.summary import Confusion, Summary

_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {*b"\t\n\r"}
TURNING = dict.fromkeys(
    [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), *_CONTROLS]
)
"""Marks, embeddings, overrides and isolates of direction: a name could reverse a sentence.

Also control characters, which no page may hold.
"""

FEWEST_ENTRIES = 3
"""A shorter page needs no list of contents."""

_HEADING = re.compile(r"<h2(?P<rest>[^>]*)>(?P<words>.*?)</h2>", re.DOTALL)
_CONTENTS = "<!-- contents -->"

FROM_RUN, FROM_GROUP = "../../index.html", "../../../index.html"
"""Where the index of all runs lies: from RUNS/<run>/views/, from RUNS/studies/<study>/views/."""

Row = dict[str, Any]
Drawing = tuple[Callable[[Any], None] | None, str]
"""How to draw a figure, None for nothing to draw; and its words for who cannot see it."""


def rendered(template: str, *, home: str | None = None, **values: Any) -> str:
    """Return a page; `home` is where the index of all runs lies from it, None for nowhere."""
    page = environment().get_template(template).render(home=home, **values)
    entries: list[tuple[str, str]] = []

    def marked(found: re.Match[str]) -> str:
        words = " ".join(re.sub(r"<[^>]*>", "", found["words"]).split())
        own = re.search(r'id="([^"]*)"', found["rest"])
        name = own[1] if own else f"contents-{len(entries) + 1}"
        entries.append((name, words))
        return found[0] if own else f'<h2 id="{name}"{found["rest"]}>{found["words"]}</h2>'

    head, _, main = page.partition(_CONTENTS)
    main = _HEADING.sub(marked, main)
    if len(entries) < FEWEST_ENTRIES:
        return f"{head}{main}"
    # The words were escaped where they stand as headings.
    links = [f'<li><a href="#{name}">{Markup(words)}</a></li>' for name, words in entries]  # noqa: S704
    return (
        f'{head}<nav class="contents" aria-label="Contents"><ul>{"".join(links)}</ul></nav>{main}'
    )


def run_page(run: RunRecord) -> str:
    """Return the HTML of a run's report."""
    metrics, summary = run.metrics, run.metrics.summary
    baselines = metrics.baselines.items()
    return rendered(
        "report.html.jinja",
        home=FROM_RUN,
        metrics=metrics,
        summary=summary,
        headline=headline(metrics),
        where=SCHEMES.get(metrics.run.scheme, ""),
        figure_names=figure_names(summary.unit),
        scales=scales_table(run.predictions),
        matrices=_matrices(run),
        forest=forest(summary),
        matrix=heat(summary.confusion),
        drawings=_drawings(run),
        arms_header=HEADER,
        arms=[summary_row(name, other) for name, other in baselines]
        + [summary_row("this model", summary)],
        inner_vs_lfo=metrics.mapping.inner_vs_lfo or {},
        transductive=metrics.transductive and TRANSDUCTIVE,
        fitted=fitted_rows(metrics.mapping),
        provenance=provenance_rows(metrics),
        config=json.dumps(shown_config(metrics.config), indent=2, ensure_ascii=False),
    )


def _matrices(run: RunRecord) -> list[Row]:
    """Return the confusion matrix of each large prompt, to be drawn."""
    least = run.metrics.summary.settings.min_prompt_n
    return [
        {"prompt": one.prompt, "n": one.n, "heat": heat(one.confusion)}
        for one in prompt_matrices(run.predictions, least)
    ]


def forest(summary: Summary) -> Row:
    """Return the axis and one row a prompt, worst first, with places from 0 to 100 along it.

    The axis runs from 0, or from below where an interval does, to 1; `mean` is the pooled QWK.
    """
    rows = sorted(summary.prompts, key=lambda row: (row.qwk is None, row.qwk or 0))
    lows = [row.low if row.low is not None else row.qwk for row in rows]
    start = min([0.0, *(low for low in lows if low is not None)])
    start = -1.0 if start < -0.5 else -0.5 if start < 0 else 0.0

    def place(value: float | None) -> float | None:
        return None if value is None else round(100 * (value - start) / (1 - start), 2)

    ticks = [value / 4 for value in range(round(start * 4), 5) if start == 0 or value % 2 == 0]
    return {
        "ticks": [(place(tick), f"{tick:g}") for tick in ticks],
        "mean": place(summary.overall["qwk"].estimate),
        "rows": [
            dict(row) | {f"{k}_at": place(getattr(row, k)) for k in ("qwk", "low", "high")}
            for row in rows
        ],
    }


def heat(confusion: Confusion | None) -> Row | None:
    """Return labels and cells with a shade from 0 to 1, the share of the true label's essays."""
    if confusion is None:
        return None
    rows = []
    for label, counts in zip(confusion.labels, confusion.counts, strict=True):
        total = sum(counts)
        cells = [(count, count / total if total else 0.0) for count in counts]
        rows.append({"label": score(label), "n": total, "cells": cells})
    return {"labels": [score(label) for label in confusion.labels], "rows": rows}


def _drawings(run: RunRecord) -> Row:
    curves = (
        figures.learning_curves(run.metrics.fits),
        "Loss of each fold's fit by round, on what it was trained on and on its dev part",
    )
    return drawings(calibration_and_length(run) | {"curves": curves})


def calibration_and_length(run: RunRecord) -> dict[str, Drawing]:
    """Return the drawings that show where a run's scores are off."""
    return {
        "calibration": (
            figures.calibration(run.metrics.summary),
            "Mean true score of the essays given each score, beside the score given",
        ),
        "length": (
            figures.residuals_by_length(run.predictions, run.covariates["word_count"]),
            "Prediction minus true score against length, with the mean of each tenth of the essays",
        ),
    }


def drawings(wanted: dict[str, Drawing]) -> Row:
    """Return each drawing as markup, None for nothing to draw; `missing` says how to get them."""
    try:
        return {
            name: None if draw is None else Markup(figures.drawn(draw, name, text))  # noqa: S704
            for name, (draw, text) in wanted.items()
        } | {"missing": None}
    except MissingExtraError as error:
        return dict.fromkeys(wanted) | {"missing": f"figures need: {error.install}"}


def shown(cell: object, title: str = "") -> str:
    """Return a cell of a table whose column says by its title alone what it holds."""
    if cell is None or isinstance(cell, float):
        is_p = title == "p" or title.startswith("p, ")
        return probability(cell) if is_p else number(cell)
    return str(cell)


def beside_limit(figure: Figure) -> str:
    """Return a figure of an audit with its interval, as far as it has one."""
    if figure.low is None:
        return held(figure.estimate, *figure.limits)
    return with_interval(figure.estimate, figure.low, figure.high, *figure.limits)


def limit(figure: Figure) -> str:
    """Return what a figure of an audit is held against."""
    if figure.limit is None:
        return MISSING
    return f"{'≥' if figure.at_least else '≤'} {threshold(figure.limit)}"


def standalone(drawing: str) -> str:
    """Return a drawing of `figures` as an SVG file of its own, in the colours of the pages."""
    palette = environment().get_template("palette.css.jinja").render()
    style = f"{palette}\nsvg {{ background: var(--paper); font-family: sans-serif; }}"
    head = '<svg xmlns="http://www.w3.org/2000/svg" '
    opened = drawing.replace("<svg ", head, 1).replace(">", f">\n<style>\n{style}\n</style>", 1)
    return f"{opened}\n"


def _in_its_direction(value: Any) -> Any:
    """Return text without the characters that turn the direction of what follows them."""
    return value.translate(TURNING) if isinstance(value, str) else value


@cache
def environment() -> Environment:
    """Return templates that escape whatever they are given, and refuse names they are not given.

    Where a name holds characters that turn the direction of text, they are left out.
    """
    environment = Environment(
        loader=PackageLoader("essay_scoring.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_in_its_direction,
    )
    filters: dict[str, Callable[..., str]] = {
        "number": number,
        "signed": lambda value: number(value, sign=True),
        "share": share,
        "interval": lambda figure: with_interval(figure.estimate, figure.low, figure.high),
        "shown": shown,
        "beside_limit": beside_limit,
        "limit": limit,
    }
    environment.filters |= filters
    script = environment.get_template("sort.js.jinja").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The script is the project's own, and its hash alone may run.
    environment.globals |= {"script": Markup(script), "script_hash": f"sha256-{digest}"}  # noqa: S704
    environment.globals["home"] = None
    return environment
