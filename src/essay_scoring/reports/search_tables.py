"""The tables of a search or grid, every cell already text; the Markdown and the page share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from essay_scoring.reports.table_cells import MISSING, number, with_interval

Row = dict[str, Any]

FIGURES = {
    "worst_prompt_qwk": "worst prompt",
    "mean_qwk": "mean QWK",
    "bottom_k_mean": "bottom k",
    "shrunken_worst_qwk": "worst, shrunken",
    "pooled_qwk": "pooled QWK",
    "low_tail_adjacent": "low tail",
    "high_tail_adjacent": "high tail",
    "mae": "MAE",
}
MOST_ROWS = 60


@dataclass(frozen=True)
class Table:
    """A caption, a sentence on how to read it, and the cells."""

    caption: str
    note: str
    header: tuple[str, ...]
    rows: list[list[str]]


def search_tables(search: Row, trials: Row) -> list[Table]:
    """Return the tables of a search, the answer first."""
    tables = [_answer(search)]
    if search["nested"]:
        tables += [_against(search["nested"]["against_reference"], "the nested result")]
        tables += [_chosen(search["nested"]["chosen"])]
    if search["against_reference"]:
        tables.append(_against(search["against_reference"], "the selected trial"))
    if search["selected"]:
        tables += [_params(search), _stability(search["stability"])]
    if search["importances"]:
        tables.append(_importances(search["importances"]))
    tables += [_counts(search["counts"])]
    return tables + [_trials(name, rows) for name, rows in trials["parts"].items()]


def grid_tables(sweep: Row) -> list[Table]:
    """Return the tables of a grid: what the best is worth, and the ranking."""
    axes = list(sweep["axes"])
    rows = [
        [
            str(cell["rank"]),
            *(text(cell["params"][axis]) for axis in axes),
            cell["state"],
            *figure_cells(cell["figures"]),
        ]
        for cell in sweep["cells"]
    ]
    header = ("rank", *(short_name(axis) for axis in axes), "state", *FIGURES.values())
    note = f"By {sweep['objective']}; {sweep['label']}."
    tables = [Table("Ranking", note, header, rows)]
    if sweep["winners_curse"]:
        named = [["best cell, as it looks", *figure_cells(sweep["winners_curse"]["apparent"])]]
        named.append(_expected_row(sweep["winners_curse"]))
        tables.insert(0, Table("The best cell", CURSE_NOTE, ("", *FIGURES.values()), named))
    return tables


CURSE_NOTE = (
    "What is expected elsewhere is the figure less the lead that the best of many has by luck, "
    "estimated by selecting again in resamples and judging on the prompts that were left out."
)


def figure_cells(figures: Row) -> list[str]:
    """Return a cell for each of FIGURES."""
    return [number(figures.get(name)) for name in FIGURES]


def text(value: Any) -> str:
    """Return a parameter's value as short as it can be told."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short_name(path: str) -> str:
    """Return the last part of a setting's path."""
    return path.rsplit(".", 1)[-1]


def _answer(search: Row) -> Table:
    rows = [["reference", *figure_cells(search["reference"]["figures"])]]
    for role, title in (("selected", "selected"), ("runner_up", "runner-up")):
        if search[role]:
            name = f"{title} (trial {search[role]['slot']}), as it looks"
            rows.append([name, *figure_cells(search[role]["figures"])])
    if search["winners_curse"]:
        rows.insert(2, _expected_row(search["winners_curse"]))
    if search["nested"]:
        rows.append(["nested: searching like this", *figure_cells(_nested(search["nested"]))])
    return Table("What the search found", CURSE_NOTE, ("", *FIGURES.values()), rows)


def _nested(nested: Row) -> Row:
    """Return the candidate's figures of the comparison with the reference."""
    deltas = nested["against_reference"]["deltas"]
    return {delta["metric"]: delta["candidate"] for delta in deltas}


def _expected_row(curse: Row) -> list[str]:
    return ["selected, as expected elsewhere", *figure_cells(curse["expected"])]


def _against(comparison: Row, who: str) -> Table:
    rows = [
        [
            FIGURES.get(delta["metric"], delta["metric"]),
            number(delta["reference"]),
            number(delta["candidate"]),
            with_interval(delta, sign=True),
        ]
        for delta in comparison["deltas"]
        if delta["metric"] in FIGURES
    ]
    note = "Paired differences with 95% intervals; they do not know that anything was selected."
    header = ("figure", "reference", who, "difference [95%]")
    return Table(f"Against the reference: {who}", note, header, rows)


def _chosen(chosen: Row) -> Table:
    rows = [
        [
            part,
            "the reference" if one["slot"] < 0 else f"trial {one['slot']}",
            _told(one["params"]),
            *figure_cells(one["figures"]),
        ]
        for part, one in chosen.items()
    ]
    note = (
        "What each fold's own search selected on the other folds, with its figures there. Where no "
        "trial kept the guardrail, the reference stayed."
    )
    return Table("Selected without the fold", note, ("fold", "", "", *FIGURES.values()), rows)


def _told(params: Row) -> str:
    return ", ".join(f"{short_name(path)} {text(value)}" for path, value in params.items())


def _params(search: Row) -> Table:
    winner, second = search["selected"]["params"], (search["runner_up"] or {}).get("params", {})
    rows = [[path, text(winner[path]), text(second.get(path, MISSING))] for path in winner]
    note = "artifacts/selected_params.json is the selected config whole, for cv and study."
    return Table("Parameters", note, ("setting", "selected", "runner-up"), rows)


def _stability(rows: Sequence[Row]) -> Table:
    cells = [
        [
            row["role"],
            number(row["mean_qwk"]),
            with_interval(row | {"estimate": row["delta"]}, sign=True),
            row["run"],
        ]
        for row in rows
    ]
    note = "The same configurations on unseen essays of prompts that training saw."
    header = ("", "mean QWK", "minus reference [95%]", "run")
    return Table("Stability under stratified_text", note, header, cells)


def _importances(importances: Row) -> Table:
    rows = [[path, f"{share:.2f}"] for path, share in importances.items()]
    note = "Shares by PED-ANOVA in what sets the better trials apart from the rest."
    return Table("Importance", note, ("setting", "share"), rows)


def _counts(counts: Row) -> Table:
    names = ("asked", "tried", "complete", "pruned", "failed", "repeats")
    rows = [[part, *(str(one[name]) for name in names)] for part, one in counts.items()]
    for row, one in zip(rows, counts.values(), strict=True):
        row.append("space exhausted" if one["exhausted"] else "")
    note = "Repeats were answered from their first trial and are not among those tried."
    return Table("Trials by part", note, ("part", *names, ""), rows)


def _trials(part: str, trials: Sequence[Row]) -> Table:
    shown = [one for one in trials if one["slot"] is not None and one["figures"] is not None]
    best = sorted(shown, key=lambda one: (_order(one), one["slot"]))[:MOST_ROWS]
    rows = [
        [str(one["slot"]), one["state"], _kept(one), *figure_cells(one["figures"])] for one in best
    ]
    note = "Best first; a pruned trial has the figures of the folds it did."
    return Table(
        f"Trials of {part}", note, ("trial", "state", "tails kept", *FIGURES.values()), rows
    )


def _order(trial: Row) -> tuple[bool, tuple[float, ...]]:
    complete = trial["state"] == "complete"
    return not complete, tuple(-value for value in trial["key"] or ())


def _kept(trial: Row) -> str:
    return MISSING if trial["feasible"] is None else "yes" if trial["feasible"] else "no"
