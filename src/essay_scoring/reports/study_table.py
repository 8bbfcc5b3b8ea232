"""The table of a study: its arms in rows, their agreement in columns, every cell already text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HEADER = (
    "arm",
    "mean QWK",
    "pooled QWK [95%]",
    "worst prompt",
    "bottom k",
    "low tail",
    "high tail",
    "MAE",
)
CHECK_HEADER = ("check", "kind", "threshold", "delta [95%]", "n", "result")
MISSING = "-"


@dataclass(frozen=True)
class Section:
    """The rows of one scheme."""

    scheme: str
    n: int
    rows: list[list[str]]


_SUMMARY = ("n", "overall", "mean_over_folds", "worst_prompt", "bottom_k_mean")
_RUN = ("arm", "role", "scheme", "run", "manifest_sha256", "family", "seconds")


def extract(study: dict[str, Any]) -> dict[str, Any]:
    """Return a study without what its tables do not show: small enough to keep beside a text."""

    def short(summary: dict[str, Any]) -> dict[str, Any]:
        return {key: summary[key] for key in _SUMMARY}

    runs = [
        {key: run[key] for key in _RUN}
        | {"summary": short(run["summary"])}
        | {"baselines": {name: short(other) for name, other in run["baselines"].items()}}
        for run in study["runs"]
    ]
    gates = [
        {key: value for key, value in gate.items() if key != "comparison"}
        for gate in study["gates"]
    ]
    return study | {"runs": runs, "gates": gates}


def sections(study: dict[str, Any]) -> list[Section]:
    """Return one section per scheme: baselines of the reference first, then the arms as run."""
    schemes = dict.fromkeys(run["scheme"] for run in study["runs"])
    return [_section(study, scheme) for scheme in schemes]


def summary_row(name: str, summary: dict[str, Any]) -> list[str]:
    """Return the cells of one arm."""
    overall, worst = summary["overall"], summary["worst_prompt"]
    folds = summary["mean_over_folds"]["qwk"]
    return [
        name,
        f"{number(folds['mean'])} ± {number(folds['std'])}",
        with_interval(overall["qwk"]),
        number(worst["qwk"]) if worst else MISSING,
        number(summary["bottom_k_mean"]),
        number(overall["low_tail_adjacent"]["estimate"]),
        number(overall["high_tail_adjacent"]["estimate"]),
        number(overall["mae"]["estimate"]),
    ]


def check_row(check: dict[str, Any]) -> list[str]:
    """Return the cells of one check of a gate."""
    return [
        str(check["metric"]),
        str(check["kind"]),
        f"≥ {check['threshold']:+.3f}",
        with_interval({**check, "estimate": check["delta"]}, sign=True),
        str(check["n"]),
        str(check["result"]),
    ]


def number(value: float | None, *, sign: bool = False) -> str:
    """Return a figure to three places, a dash where it is missing."""
    if value is None:
        return MISSING
    return f"{value:+.3f}" if sign else f"{value:.3f}"


def with_interval(figure: dict[str, Any], *, sign: bool = False) -> str:
    """Return `estimate [low, high]`."""
    low, high = number(figure["low"], sign=sign), number(figure["high"], sign=sign)
    return f"{number(figure['estimate'], sign=sign)} [{low}, {high}]"


def plain_table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    """Return an aligned table for a terminal."""
    lines = [list(header), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown_table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in x) + " |" for x in lines
    )


def _section(study: dict[str, Any], scheme: str) -> Section:
    rows, n = [], 0
    for run in study["runs"]:
        if run["scheme"] != scheme:
            continue
        n = run["summary"]["n"]
        rows += [summary_row(f"baseline: {k}", v) for k, v in run["baselines"].items()]
        rows.append(summary_row(f"{run['role']}: {run['arm']}", run["summary"]))
    return Section(scheme, n, rows)
