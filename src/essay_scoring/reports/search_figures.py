"""Figures of a search: its history, what mattered, and which values the best trials share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from essay_scoring.records.search import TrialRow
from essay_scoring.reports.charts import ACCENT, GRID, QUIET, SECOND
from essay_scoring.reports.search_tables import FIGURES, short_name, text

Draw = Callable[[Any], None]
Declared = Mapping[str, Sequence[Any]]
"""The values of each choice of a search, by path, in the order of the search file."""

N_BEST = 5
"""How many of the best trials stand out among the parallel coordinates."""


def history(trials: Sequence[TrialRow], figure: str, reference: float | None) -> Draw | None:
    """Return a drawing of a figure by trial, with the best selectable one so far."""
    complete = [row for row in trials if _complete(row)]
    if not complete:
        return None

    def draw(axes: Any) -> None:
        for feasible, colour, label in (
            (False, QUIET, "breaks a guardrail"),
            (True, ACCENT, "keeps both tails"),
        ):
            chosen = [row for row in complete if row.feasible is feasible]
            if chosen:
                axes.scatter(
                    [row.slot for row in chosen],
                    [(row.figures or {})[figure] for row in chosen],
                    s=14,
                    color=colour,
                    linewidths=0,
                    label=label,
                )
        axes.step(*_best_so_far(complete, figure), where="post", color=ACCENT, linewidth=1)
        if reference is not None:
            axes.axhline(reference, color=SECOND, linestyle=(0, (4, 3)), linewidth=1)
        axes.set_xlabel("trial")
        axes.set_ylabel(FIGURES[figure])
        axes.legend(fontsize=8)

    return draw


def importance(importances: dict[str, float]) -> Draw | None:
    """Return a drawing of the shares of the settings, largest on top."""
    if not importances:
        return None
    names = list(importances)[::-1]

    def draw(axes: Any) -> None:
        axes.barh([short_name(name) for name in names], [importances[name] for name in names])
        for bar in axes.patches:
            bar.set_color(ACCENT)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", labelsize=7)
        axes.set_xlabel("share")

    return draw


def parallel(trials: Sequence[TrialRow], declared: Declared | None = None) -> Draw | None:
    """Return a drawing with a line per complete trial across all settings, the best in colour.

    Values that are no numbers lie in the order in which the search `declared` them.
    """
    complete = [row for row in trials if _complete(row)]
    paths = list(complete[0].params) if complete else []
    if len(paths) < 2:
        return None
    told = declared or {}
    scales = {
        path: _scale([row.params[path] for row in complete], told.get(path, ())) for path in paths
    }
    selectable = sorted(
        (row for row in complete if row.feasible),
        key=lambda row: tuple(-value for value in row.key or ()),
    )
    best = {row.slot for row in selectable[:N_BEST]}

    def draw(axes: Any) -> None:
        for row in sorted(complete, key=lambda row: row.slot in best):
            heights = [scales[path](row.params[path]) for path in paths]
            stands_out = row.slot in best
            axes.plot(
                range(len(paths)),
                heights,
                color=ACCENT if stands_out else QUIET,
                alpha=0.9 if stands_out else 0.25,
                linewidth=1.4 if stands_out else 0.7,
            )
        axes.vlines(range(len(paths)), 0, 1, color=GRID, linewidth=0.8)
        axes.set_xticks(range(len(paths)), [short_name(path) for path in paths])
        axes.tick_params(axis="x", labelrotation=60, labelsize=7)
        axes.set_yticks([0, 1], ["lowest tried", "highest tried"])
        axes.grid(visible=False)

    return draw


def ends(trials: Sequence[TrialRow], declared: Declared | None = None) -> str:
    """Return in words what the ends of the parallel coordinates stand for."""
    complete = [row for row in trials if _complete(row)]
    told = []
    for path in complete[0].params if complete else []:
        values = [row.params[path] for row in complete]
        if _are_numbers(values):
            told.append(f"{short_name(path)} {text(min(values))} to {text(max(values))}")
        else:
            names = _names(values, (declared or {}).get(path, ()))
            told.append(f"{short_name(path)} {', '.join(names)}")
    return "; ".join(told)


def _complete(trial: TrialRow) -> bool:
    return trial.slot is not None and trial.state == "complete"


def _slot(trial: TrialRow) -> int:
    return -1 if trial.slot is None else trial.slot


def _best_so_far(trials: Sequence[TrialRow], figure: str) -> tuple[list[int], list[float]]:
    """Return where the best selectable trial by the rule changed, and its figure there."""
    best: tuple[float, ...] = ()
    slots: list[int] = []
    values: list[float] = []
    for row in sorted(trials, key=_slot):
        value = (row.figures or {}).get(figure)
        if row.feasible and (row.key or ()) > best and value is not None:
            best = row.key or ()
            slots.append(_slot(row))
            values.append(value)
    if slots:
        slots.append(max(_slot(row) for row in trials))
        values.append(values[-1])
    return slots, values


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _names(values: Sequence[Any], declared: Sequence[Any]) -> list[str]:
    """Return the values that were tried, as declared, the others by the numbers in them."""
    tried = {str(value) for value in values}
    first = [name for name in map(str, declared) if name in tried]
    return first + sorted(tried - set(first), key=_natural)


def _natural(name: str) -> list[tuple[float, str]]:
    """Return a key that orders names by the numbers in them: 2 before 10."""
    parts = re.split(r"(-?\d+(?:\.\d+)?)", name)
    return [(float(x), "") if at % 2 else (0.0, x) for at, x in enumerate(parts)]


def _scale(values: Sequence[Any], declared: Sequence[Any]) -> Callable[[Any], float]:
    """Return the place from 0 to 1 of a setting's values: by logarithm where they span much."""
    if not _are_numbers(values):
        names = _names(values, declared)
        return lambda value: names.index(str(value)) / max(1, len(names) - 1)
    low, high = min(values), max(values)
    if low == high:
        return lambda _value: 0.5
    if low > 0 and high / low >= 5:
        return lambda value: math.log(value / low) / math.log(high / low)
    return lambda value: (value - low) / (high - low)
