"""Forest plots: deltas with their intervals along one axis, as places from 0 to 100."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from essay_scoring.reports.comparison_tables import DELTA_NAMES

Row = dict[str, Any]

_CHECK = ("delta", "low", "high", "threshold")
_DELTA = ("estimate", "low", "high")
MOST_CHECKS = 12

Place = Callable[[float | None], float | None]


def gate_forest(gate: Row) -> Row:
    """Return a gate's checks in words, with places along one axis that also holds thresholds."""
    head = {key: gate[key] for key in ("arm", "plan", "verdict", "rule", "scheme", "reason")}
    place, axis = _axis([check[key] for check in gate["checks"] for key in _CHECK])
    return {**head, **axis, "rows": [_placed(check, place) for check in gate["checks"]]}


def decision_forest(gates: Sequence[Row], most: int = MOST_CHECKS) -> Row | None:
    """Return the checks of all gates along one axis; None without gates.

    Where they are more than `most`, the first check of each gate stands for it.
    """
    if not gates:
        return None
    whole = sum(len(gate["checks"]) for gate in gates) <= most
    kept = [gate["checks"] if whole else gate["checks"][:1] for gate in gates]
    place, axis = _axis([check[key] for checks in kept for check in checks for key in _CHECK])
    groups = [
        {key: gate[key] for key in ("arm", "plan", "rule", "verdict", "reason")}
        | {"rows": [_placed(check, place) for check in checks]}
        for gate, checks in zip(gates, kept, strict=True)
    ]
    return {**axis, "groups": groups, "whole": whole}


def bands_forest(summary: Row) -> Row:
    """Return the true bands that hold essays, with the places of their mean residuals."""
    rows = [row for row in summary["bands"] if row["n"]]
    place, axis = _axis([row["mean_residual"] for row in rows])
    return {**axis, "rows": [row | {"at": place(row["mean_residual"])} for row in rows]}


def arms_forest(record: Row) -> Row:
    """Return each figure of a comparison record with a row for every arm, all along one axis."""
    found = [(arm, one) for arm in record["arms"] for one in arm["deltas"]]
    place, axis = _axis([one[key] for _, one in found for key in _DELTA])
    figures: dict[str, list[Row]] = {}
    for arm, one in found:
        at = {f"{key}_at": place(one[key]) for key in _DELTA}
        row = {"arm": arm["arm"], "role": arm["role"], "n": one["n"]}
        row |= {key: one[key] for key in _DELTA} | at
        figures.setdefault(DELTA_NAMES[one["metric"]], []).append(row)
    return {
        **axis,
        "scheme": record["scheme"],
        "reference": record["reference"]["arm"],
        "figures": figures,
    }


def _placed(check: Row, place: Place) -> Row:
    named = {"figure": DELTA_NAMES.get(check["metric"], check["metric"])}
    return check | named | {f"{key}_at": place(check[key]) for key in _CHECK}


def _axis(values: Sequence[float | None]) -> tuple[Place, Row]:
    """Return where a value lies on an axis around zero that holds all values, and its ticks."""
    reach = max([0.01, *(abs(value) for value in values if value is not None)]) * 1.05

    def place(value: float | None) -> float | None:
        return None if value is None else round(50 + 50 * value / reach, 2)

    ends = [(place(value), f"{value:+.2f}") for value in (-reach, reach)]
    return place, {"zero": place(0.0), "ticks": [ends[0], (place(0.0), "0"), ends[1]]}
