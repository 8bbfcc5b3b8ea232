"""Write the tables of docs/statistics.md from the artifacts of coverage.py and nulls.py.

python benchmarks/statistics_page.py
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_text

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "statistics.md"
WIDE = 0.98
"""A nominal 95% that holds the truth more often is needlessly wide."""


def page(
    text: str, coverage: Mapping[str, Any], before: Mapping[str, Any], nulls: Mapping[str, Any]
) -> str:
    """Return the page with the tables of these artifacts."""
    for name, cells in (("coverage", coverage["cells"]), ("before mapping", before["cells"])):
        text = _between(text, name, f"{coverage_table(cells)}\n\n{coverage_range(cells)}")
    return _between(text, "nulls", f"{figures_table(nulls)}\n\n{gates_table(nulls)}")


def coverage_table(cells: Mapping[str, Any]) -> str:
    """Return the coverage of every figure in every cell."""
    names = list(next(iter(cells.values()))["figures"])
    rows = [["prompts, how far they differ, scores", "n", *names]]
    for cell, row in cells.items():
        values = (row["figures"][name]["coverage"] for name in names)
        told = ("refused" if value is None else f"{value:.3f}" for value in values)
        rows.append([cell, str(row["simulations"]), *told])
    return _table(rows)


def coverage_range(cells: Mapping[str, Any]) -> str:
    """Return in words how far coverage lies from 95%, the worst prompt's aside."""
    figures = [
        (name, figure["coverage"], cell, row["simulations"])
        for cell, row in cells.items()
        for name, figure in row["figures"].items()
        if figure["coverage"] is not None
    ]
    found = [rest for name, *rest in figures if "worst" not in name]
    wide = [one for one in found if one[0] > WIDE]
    few = " and ".join(sorted({cell.partition(" prompts")[0] for _, cell, _ in wide}))
    aside = ", the worst prompt's aside" if len(found) < len(figures) else ""
    told = f"The least of these {len(found)} is {min(found)[0]:.3f}{aside}."
    if not wide:
        return told
    error = (WIDE * (1 - WIDE) / min(n for *_, n in wide)) ** 0.5
    lie = "lies" if len(wide) == 1 else "lie"
    return (
        f"{told} {len(wide)} {lie} above {WIDE}, at most at {max(wide)[0]:.3f}, all with {few} "
        f"prompts: a little too wide. The standard error of {WIDE} is {error:.3f} there."
    )


def figures_table(nulls: Mapping[str, Any]) -> str:
    """Return how often each figure's interval leaves 0 out between runs made equal."""
    rows = [["figure", "interval leaves 0 out", "swaps"]]
    rows += [[name, _rate(row), str(row["n"])] for name, row in nulls["figures"].items()]
    return _table(rows)


def gates_table(nulls: Mapping[str, Any]) -> str:
    """Return how often each plan passes a run made equal, and what `power` says of it."""
    rows = [["plan", "passes", "`power` says", "pairs drawn"]]
    rows += [
        [f"`{name}`", _rate(row["nulls"]), f"{row['power']:.3f}", str(row["n"])]
        for name, row in nulls["gates"].items()
    ]
    return _table(rows)


def _rate(row: Mapping[str, float]) -> str:
    return f"{row['rate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _table(rows: list[list[str]]) -> str:
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _between(text: str, name: str, made: str) -> str:
    """Return text with what stands between the marks of `name` replaced."""
    begin = f"<!-- {name}: made by python benchmarks/statistics_page.py -->"
    before, rest = text.split(begin)
    _, end, after = rest.partition(f"<!-- {name} ends -->")
    return f"{before}{begin}\n\n{made}\n\n{end}{after}"


def written() -> str:
    """Return the page as its artifacts have it."""
    names = ("coverage", "coverage_before_mapping", "nulls")
    artifacts = [read_json(DOCS / "results" / f"{name}.json") for name in names]
    return page(PAGE.read_text(encoding="utf-8"), *artifacts)


if __name__ == "__main__":
    write_text(PAGE, written())
