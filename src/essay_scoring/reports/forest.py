"""Forest plots: deltas with their intervals along one axis, as places from 0 to 100."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from essay_scoring.reports.comparison_tables import DELTA_NAMES

Row = dict[str, Any]

_CHECK = ("delta", "low", "high", "threshold")
_DELTA = ("estimate", "low", "high")


def gate_forest(gate: Row) -> Row:
    """Return a gate's checks with places along one axis that holds them and their thresholds."""
    head = {key: gate[key] for key in ("arm", "plan", "verdict", "rule", "scheme", "reason")}
    place, axis = _axis([check[key] for check in gate["checks"] for key in _CHECK])
    rows = [check | {f"{key}_at": place(check[key]) for key in _CHECK} for check in gate["checks"]]
    return {**head, **axis, "rows": rows}


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


def _axis(values: Sequence[float | None]) -> tuple[Callable[[float | None], float | None], Row]:
    """Return where a value lies on an axis around zero that holds all values, and its ticks."""
    reach = max([0.01, *(abs(value) for value in values if value is not None)]) * 1.05

    def place(value: float | None) -> float | None:
        return None if value is None else round(50 + 50 * value / reach, 2)

    ends = [(place(value), f"{value:+.2f}") for value in (-reach, reach)]
    return place, {"zero": place(0.0), "ticks": [ends[0], (place(0.0), "0"), ends[1]]}
