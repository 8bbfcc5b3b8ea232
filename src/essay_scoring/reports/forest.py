"""Forest plots: deltas with their intervals along one axis, as places from 0 to 100."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from essay_scoring.core.number_text import held, threshold
from essay_scoring.records.judgements import CheckResult, Gate, SchemeComparison
from essay_scoring.reports.comparison_tables import DELTA_NAMES
from essay_scoring.statistics.summary import Summary

Row = dict[str, Any]

MOST_CHECKS = 12

_DRAWN = ("delta", "low", "high")

Place = Callable[[float | None], float | None]


def gate_forest(gate: Gate) -> Row:
    """Return a gate's checks in words, with places along one axis that also holds thresholds."""
    place, axis = _axis([value for check in gate.checks for value in _ends(check)])
    return {**dict(gate), **axis, "rows": [_placed(check, place) for check in gate.checks]}


def decision_forest(gates: Sequence[Gate], most: int = MOST_CHECKS) -> Row | None:
    """Return the checks of all gates along one axis; None without gates.

    Where they are more than `most`, the first check of each gate stands for it.
    """
    if not gates:
        return None
    whole = sum(len(gate.checks) for gate in gates) <= most
    kept = [gate.checks if whole else gate.checks[:1] for gate in gates]
    place, axis = _axis([value for checks in kept for check in checks for value in _ends(check)])
    groups = [
        {**dict(gate), "rows": [_placed(check, place) for check in checks]}
        for gate, checks in zip(gates, kept, strict=True)
    ]
    return {**axis, "groups": groups, "whole": whole}


def bands_forest(summary: Summary) -> Row:
    """Return the true bands that hold essays, with the places of their mean residuals."""
    rows = [row for row in summary.bands if row.n]
    place, axis = _axis([row.mean_residual for row in rows])
    return {**axis, "rows": [dict(row) | {"at": place(row.mean_residual)} for row in rows]}


def arms_forest(compared: SchemeComparison) -> Row:
    """Return each figure of a comparison with a row for every arm, all along one axis."""
    pairs = [(arm, delta) for arm in compared.arms for delta in arm.rows]
    place, axis = _axis([v for _, delta in pairs for v in (delta.estimate, delta.low, delta.high)])
    figures: dict[str, list[Row]] = {}
    for arm, delta in pairs:
        row = {"arm": arm.arm, "role": arm.role, "n": delta.n, "estimate": delta.estimate}
        row |= {"low": delta.low, "high": delta.high, "estimate_at": place(delta.estimate)}
        row |= {"low_at": place(delta.low), "high_at": place(delta.high)}
        figures.setdefault(DELTA_NAMES[delta.metric], []).append(row)
    return {
        **axis,
        "scheme": compared.scheme,
        "reference": compared.reference.arm,
        "figures": figures,
    }


def _ends(check: CheckResult) -> tuple[float | None, ...]:
    """Return what a check is drawn with: its delta, the interval and the threshold."""
    return (check.delta, check.low, check.high, check.threshold)


def _placed(check: CheckResult, place: Place) -> Row:
    at = zip(("delta_at", "low_at", "high_at", "threshold_at"), _ends(check), strict=True)
    named = {"figure": DELTA_NAMES.get(check.metric, check.metric)}
    told = {name: held(getattr(check, name), check.threshold, 0.0, sign=True) for name in _DRAWN}
    told["threshold"] = threshold(check.threshold, sign=True)
    return dict(check) | named | {name: place(value) for name, value in at} | {"told": told}


def _axis(values: Sequence[float | None]) -> tuple[Place, Row]:
    """Return where a value lies on an axis around zero that holds all values, and its ticks."""
    reach = max([0.01, *(abs(value) for value in values if value is not None)]) * 1.05

    def place(value: float | None) -> float | None:
        return None if value is None else round(50 + 50 * value / reach, 2)

    ends = [(place(value), f"{value:+.2f}") for value in (-reach, reach)]
    return place, {"zero": place(0.0), "ticks": [ends[0], (place(0.0), "0"), ends[1]]}
