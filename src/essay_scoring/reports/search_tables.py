"""The tables of a search or grid, every cell already text; the Markdown and the page share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from essay_scoring.core.number_text import MISSING, number, with_interval
from essay_scoring.records.search import (
    REFERENCE,
    Figures,
    GridRecord,
    NestedResult,
    SearchRecord,
    StabilityRow,
    TrialCounts,
    TrialRow,
    TrialsRecord,
    TriedConfiguration,
    WinnersCurse,
)
from essay_scoring.statistics.alignment import Side
from essay_scoring.statistics.comparison import Comparison

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
class SearchTable:
    """A caption, a sentence on how to read it, and the cells."""

    caption: str
    note: str
    header: tuple[str, ...]
    rows: list[list[str]]


def search_tables(search: SearchRecord, trials: TrialsRecord) -> list[SearchTable]:
    """Return the tables of a search, the answer first."""
    tables = [_answer(search)]
    if search.nested:
        tables += [_against(search.nested.against_reference, "the nested result")]
        tables += [_chosen(search.nested.chosen)]
    if search.against_reference:
        tables.append(_against(search.against_reference, "the selected trial"))
    if search.selected:
        tables.append(_params(search.selected, search.runner_up))
    if search.stability:
        tables.append(_stability(search.stability))
    if search.importances:
        tables.append(_importances(search.importances))
    tables += [_counts(search.counts)]
    return tables + [_trials(name, rows) for name, rows in trials.parts.items()]


def grid_tables(sweep: GridRecord) -> list[SearchTable]:
    """Return the tables of a grid: what the best is worth, and the ranking."""
    axes = list(sweep.axes)
    rows = [
        [
            str(cell.rank),
            *(text(cell.params[axis]) for axis in axes),
            cell.state,
            *figure_cells(cell.figures),
        ]
        for cell in sweep.cells
    ]
    header = ("rank", *(short_name(axis) for axis in axes), "state", *FIGURES.values())
    note = f"By {sweep.objective}; {sweep.label}."
    tables = [SearchTable("Ranking", note, header, rows)]
    if curse := sweep.winners_curse:
        named = [["best cell, as it looks", *figure_cells(curse.apparent)], _expected_row(curse)]
        tables.insert(0, SearchTable("The best cell", CURSE_NOTE, ("", *FIGURES.values()), named))
    return tables


CURSE_NOTE = (
    "What is expected elsewhere is the figure less the lead that the best of many has by luck, "
    "estimated by selecting again in resamples and judging on the prompts that were left out."
)


def figure_cells(figures: Figures) -> list[str]:
    """Return a cell for each of FIGURES."""
    return [number(figures.get(name)) for name in FIGURES]


def text(value: Any) -> str:
    """Return a parameter's value in at most four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short_name(path: str) -> str:
    """Return the last part of a setting's path."""
    return path.rsplit(".", 1)[-1]


def _answer(search: SearchRecord) -> SearchTable:
    rows = [["reference", *figure_cells(search.reference.figures)]]
    for title, tried in (("selected", search.selected), ("runner-up", search.runner_up)):
        if tried:
            name = f"{title} (trial {tried.slot}), as it looks"
            rows.append([name, *figure_cells(tried.figures)])
    if search.winners_curse:
        rows.insert(2, _expected_row(search.winners_curse))
    if search.nested:
        rows.append(["nested: searching like this", *figure_cells(nested_figures(search.nested))])
    return SearchTable("What the search found", CURSE_NOTE, ("", *FIGURES.values()), rows)


def nested_figures(nested: NestedResult, arm: Side = "candidate") -> Figures:
    """Return an arm's figures of the comparison with the reference on the outer folds."""
    return {delta.metric: getattr(delta, arm) for delta in nested.against_reference.rows}


def _expected_row(curse: WinnersCurse) -> list[str]:
    return ["selected, as expected elsewhere", *figure_cells(curse.expected)]


def _against(comparison: Comparison, who: str) -> SearchTable:
    rows = [
        [
            FIGURES[delta.metric],
            number(delta.reference),
            number(delta.candidate),
            with_interval(delta.estimate, delta.low, delta.high, sign=True),
        ]
        for delta in comparison.rows
        if delta.metric in FIGURES
    ]
    note = "Paired differences with 95% intervals; they do not know that anything was selected."
    header = ("figure", "reference", who, "difference [95%]")
    return SearchTable(f"Against the reference: {who}", note, header, rows)


def _chosen(chosen: Mapping[str, TriedConfiguration]) -> SearchTable:
    rows = [
        [
            part,
            "the reference" if tried.slot == REFERENCE else f"trial {tried.slot}",
            ", ".join(f"{short_name(path)} {text(value)}" for path, value in tried.params.items()),
            *figure_cells(tried.figures),
        ]
        for part, tried in chosen.items()
    ]
    note = (
        "What each fold's own search selected on the other folds, with its figures there. Where no "
        "trial kept the guardrail, the reference stayed."
    )
    return SearchTable("Selected without the fold", note, ("fold", "", "", *FIGURES.values()), rows)


def _params(selected: TriedConfiguration, runner_up: TriedConfiguration | None) -> SearchTable:
    winner, second = selected.params, runner_up.params if runner_up else {}
    rows = [[path, text(winner[path]), text(second.get(path, MISSING))] for path in winner]
    note = "artifacts/selected_params.json is the selected config whole, for cv and study."
    return SearchTable("Parameters", note, ("setting", "selected", "runner-up"), rows)


def _stability(rows: Sequence[StabilityRow]) -> SearchTable:
    cells = [
        [
            row.role,
            number(row.mean_qwk),
            with_interval(row.delta, row.low, row.high, sign=True),
            row.run,
        ]
        for row in rows
    ]
    note = "The same configurations on unseen essays of prompts that training saw."
    header = ("", "mean QWK", "minus reference [95%]", "run")
    return SearchTable("Stability under stratified_text", note, header, cells)


def _importances(importances: Mapping[str, float]) -> SearchTable:
    rows = [[path, f"{share:.2f}"] for path, share in importances.items()]
    note = "Shares by PED-ANOVA in what sets the better trials apart from the rest."
    return SearchTable("Importance", note, ("setting", "share"), rows)


def _counts(counts: Mapping[str, TrialCounts]) -> SearchTable:
    names = ("asked", "tried", "complete", "pruned", "failed", "repeats")
    rows = [
        [
            part,
            *(str(getattr(count, name)) for name in names),
            "space exhausted" if count.exhausted else "",
        ]
        for part, count in counts.items()
    ]
    note = "Repeats were answered from their first trial and are not among those tried."
    return SearchTable("Trials by part", note, ("part", *names, ""), rows)


def _trials(part: str, trials: Sequence[TrialRow]) -> SearchTable:
    shown = [row for row in trials if row.slot is not None and row.figures is not None]
    varied = list(dict.fromkeys(path for row in shown for path in row.params))
    rows = [
        [
            str(row.slot),
            row.state,
            _kept(row),
            *(text(row.params.get(path, MISSING)) for path in varied),
            *figure_cells(row.figures or {}),
        ]
        for row in sorted(shown, key=_order)[:MOST_ROWS]
    ]
    note = "Best first; a pruned trial has the figures of the folds it did."
    names = (short_name(path) for path in varied)
    header = ("trial", "state", "tails kept", *names, *FIGURES.values())
    return SearchTable(f"Trials of {part}", note, header, rows)


def _order(trial: TrialRow) -> tuple[bool, tuple[float, ...], int]:
    best_first = tuple(-value for value in trial.key or ())
    return trial.state != "complete", best_first, trial.slot or 0


def _kept(trial: TrialRow) -> str:
    return MISSING if trial.feasible is None else "yes" if trial.feasible else "no"
