"""What a gate plan can tell, as a table on the terminal, Markdown, a figure and a page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.number_text import MISSING, number, share, with_interval
from essay_scoring.core.record import write_record
from essay_scoring.judging.power import FIGURES
from essay_scoring.judging.power_curve import POWER
from essay_scoring.records.power_results import DetectableDelta, PowerRecord, Rate, TrialRecord
from essay_scoring.reports.charts import ACCENT, INK, QUIET, SECOND, drawn
from essay_scoring.reports.html import rendered, standalone
from essay_scoring.reports.table_cells import markdown_table, plain_table
from essay_scoring.reports.texts import write_texts

Row = dict[str, Any]
Table = tuple[str, tuple[str, ...], list[list[str]]]
"""A caption, a header and rows, every cell already text."""

SCENARIOS = {
    "equal": "equal",
    "everywhere": "better everywhere",
    "worst_prompts": "better on its worst prompts only",
    "low_tail": "better in the low tail only",
}

_GAINED_IN = {
    "everywhere": "pooled QWK",
    "worst_prompts": "QWK of those prompts",
    "low_tail": "low-tail agreement",
}


def write_power_reports(record: PowerRecord, folder: Path) -> list[Path]:
    """Write power.json, power.md, power.html and, with matplotlib, power.svg; return the paths."""
    write_record(folder / "power.json", record)
    texts = {"power.md": power_markdown(record), "power.html": power_page(record)}
    with contextlib.suppress(MissingExtraError):
        texts["power.svg"] = standalone(drawn(curves(record), "power", record.conclusion))
    return [folder / "power.json", *write_texts(folder, texts)]


def power_text(record: PowerRecord) -> str:
    """Return the record for a terminal."""
    parts = [record.conclusion, basis(record)]
    parts += [f"{caption}\n{plain_table(head, rows)}" for caption, head, rows in tables(record)]
    return "\n\n".join(parts)


def power_markdown(record: PowerRecord) -> str:
    """Return the record as Markdown."""
    parts = [f"# Power of {record.plan.name}", record.conclusion, basis(record)]
    for caption, head, rows in tables(record):
        parts += [f"## {caption}", markdown_table(head, rows)]
    return "\n\n".join(parts) + "\n"


def power_page(record: PowerRecord) -> str:
    """Return the record as one self-contained page."""
    return rendered(
        "power.html.jinja",
        record=record,
        basis=basis(record),
        tables=tables(record),
        drawings=_drawings(record),
    )


def basis(record: PowerRecord) -> str:
    """Return in a sentence what was simulated and how it was judged."""
    correlation, how = record.correlation, "estimates are held against the thresholds"
    if record.plan.rule == "interval":
        how = f"95% intervals of {record.replicates} resamples are held against the thresholds"
    return (
        f"Simulated from run {record.reference.run}: every pair of scorers has new prompts, "
        f"essays and errors; errors correlate {correlation.value:.2f} "
        f"({correlation.source}); {how}."
    )


def tables(record: PowerRecord) -> list[Table]:
    """Return the tables of a record: conditions, checks, candidates, and how like the reference."""
    return [_conditions(record), _checks(record), _candidates(record), _resemblance(record)]


def _conditions(record: PowerRecord) -> Table:
    """Return one row for each condition, with what the whole plan does in it."""
    rows = []
    for trial in record.trials:
        equal = trial.candidates[0]
        cells = [str(count) for count in (trial.essays, trial.prompts, trial.large_prompts)]
        detects = _detected(trial, "everywhere", None) if len(trial.candidates) > 1 else MISSING
        rows.append([trial.name, *cells, _rate(equal), str(equal.n), detects])
    lead = next(row.metric for row in record.trials[0].detectable if row.check is None)
    header = ("condition", "essays", "prompts", "judged alone", "passes equals [95%]", "pairs")
    return (
        "What the plan does, and what more data would buy",
        (*header, f"detects in {FIGURES[lead]} [95%]"),
        rows,
    )


def _checks(record: PowerRecord) -> Table:
    """Return one row for each check: equal scorers, and the smallest detectable true delta."""
    trial, rows = record.trials[0], []
    equal = trial.candidates[0].checks
    scenarios = list(dict.fromkeys(row.scenario for row in trial.detectable))
    for place, (check, seen) in enumerate(zip(record.plan.checks, equal, strict=True)):
        cells = [check.metric, check.kind, f"≥ {number(check.delta_at_least, sign=True)}"]
        cells += [share(seen.rate), number(seen.sd_delta)]
        rows.append(cells + [_detected(trial, scenario, place) for scenario in scenarios])
    header = ("check", "kind", "threshold", "passes equals", "noise (SD)")
    return (
        f"Smallest true delta that each check passes {POWER:.0%} of the time [95%]",
        (*header, *(SCENARIOS[scenario] for scenario in scenarios)),
        rows,
    )


def _candidates(record: PowerRecord) -> Table:
    """Return one row for each candidate that was simulated as things are."""
    rows = []
    for candidate in record.trials[0].candidates:
        scenario, gain = candidate.scenario, MISSING
        if scenario in _GAINED_IN:
            gain = f"{number(candidate.gain, sign=True)} {_GAINED_IN[scenario]}"
        cells = [SCENARIOS[scenario], gain, _rate(candidate), str(candidate.n)]
        cells += [
            f"{check.rate:.0%} at {number(check.true_delta, sign=True)}"
            for check in candidate.checks
        ]
        rows.append(cells)
    names = (FIGURES[check.metric] for check in record.plan.checks)
    header = ("candidate", "true gain", "plan passes [95%]", "pairs", *names)
    return "How often the plan, and each check at its true delta, passes a candidate", header, rows


def _resemblance(record: PowerRecord) -> Table:
    """Return the reference's figures beside those of simulated references."""
    rows = [
        [
            FIGURES[row.metric],
            number(row.observed),
            with_interval(row.simulated, row.low, row.high),
        ]
        for row in record.population.figures
    ]
    header = ("figure", "reference", "simulated references [95%]")
    return "How like the reference the simulated ones are", header, rows


def curves(record: PowerRecord) -> Callable[[Any], None]:
    """Return a drawing of how often the plan passes, by the candidate's true gain."""
    candidates = record.trials[0].candidates
    colours = {"everywhere": ACCENT, "worst_prompts": SECOND, "low_tail": INK}

    def draw(axes: Any) -> None:
        axes.axhline(100 * POWER, color=QUIET, linestyle=(0, (4, 3)), linewidth=1)
        for scenario, colour in colours.items():
            shown = [c for c in candidates if c.scenario in ("equal", scenario)]
            gains, rate = [c.gain for c in shown], [100 * c.rate for c in shown]
            low, high = [100 * c.low for c in shown], [100 * c.high for c in shown]
            axes.vlines(gains, low, high, color=colour, linewidth=1.5, alpha=0.5)
            label = f"{SCENARIOS[scenario]} ({_GAINED_IN[scenario]})"
            axes.plot(gains, rate, color=colour, marker="o", markersize=3.5, label=label)
        axes.set_ylim(-2, 102)
        axes.set_ylabel("passed by the plan, %")
        axes.set_xlabel("true gain of the candidate, in the figure named")
        axes.figure.legend(loc="outside upper left", fontsize=8)

    return draw


def more_data(record: PowerRecord) -> Callable[[Any], None]:
    """Return a drawing of the smallest true delta that the plan detects in each condition.

    An arrow begins at the largest delta tried where that was not enough.
    """
    wholes = [(trial.name, _detects(trial, "everywhere", None)) for trial in record.trials]
    rows = [(name, row) for name, row in wholes if row is not None]

    def draw(axes: Any) -> None:
        for place, (_, row) in enumerate(rows):
            low, high = (row.tried if end is None else end for end in (row.low, row.high))
            axes.hlines(place, low, high, color=ACCENT, linewidth=1.5, alpha=0.5)
            beyond = row.delta is None
            at, mark = (row.tried, ">") if beyond else (row.delta, "o")
            axes.plot([at], [place], color=ACCENT, marker=mark, markersize=5)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel(f"detected in {FIGURES[rows[0][1].metric]}")

    return draw


def _drawings(record: PowerRecord) -> Row:
    """Return the figures as markup, or how to get them."""
    wanted = {
        "curves": (curves(record), "Share of candidates passed, by true gain, for each scenario"),
        "more": (more_data(record), "Smallest true delta detected, with more essays or prompts"),
    }
    try:
        return {
            name: Markup(drawn(draw, name, text))  # noqa: S704
            for name, (draw, text) in wanted.items()
        } | {"missing": None}
    except MissingExtraError as error:
        return dict.fromkeys(wanted) | {"missing": f"figures need: {error.install}"}


def _rate(row: Rate) -> str:
    """Return a share with its interval."""
    return f"{share(row.rate)} [{share(row.low)}, {share(row.high)}]"


def _detects(trial: TrialRecord, scenario: str, check: int | None) -> DetectableDelta | None:
    """Return what a check (None: the whole plan) detects in a scenario, None if not tried."""
    rows = (row for row in trial.detectable if (row.scenario, row.check) == (scenario, check))
    return next(rows, None)


def _detected(trial: TrialRecord, scenario: str, check: int | None) -> str:
    """Return a smallest detectable delta: beyond what was tried, or no more than nothing."""
    row = _detects(trial, scenario, check)
    if row is None:
        return MISSING
    beyond = f"> {number(row.tried, sign=True)}"
    if row.delta is None:
        return beyond
    if row.delta <= 0:
        return "none needed"
    high = beyond if row.high is None else number(row.high, sign=True)
    return f"{number(row.delta, sign=True)} [{number(row.low, sign=True)}, {high}]"
