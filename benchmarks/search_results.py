"""What searches found, as one small file: the artifact behind the table of docs/results.md.

    python benchmarks/search_results.py FOLDER [FOLDER ...] --out docs/results/searches.json

A FOLDER is that of a finished `optuna-sweep` or `xgb-sweep`. Each row has the figures of one thing
that was tried: what was there before, what looked best, what luck leaves of it, and what nested
folds report. `searches` holds for each of them how many trials were asked for, how often resamples
selected the same one, which columns were chosen, and what the winner is worth beside the reference,
on nested folds and under the other scheme.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json, write_json

FIGURES = ("worst_prompt_qwk", "mean_qwk", "bottom_k_mean", "pooled_qwk", "low_tail_adjacent")
FIGURES += ("high_tail_adjacent", "mae")


def found_in(folder: Path) -> dict[str, Any]:
    """Return what a search or a grid wrote."""
    grid = folder / "artifacts" / "sweep.json"
    found: dict[str, Any] = read_json(
        grid if grid.is_file() else folder / "artifacts" / "search.json"
    )
    return found


def rows_of(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one search or grid."""
    search, curse = found["name"], found["winners_curse"]
    if "reference" in found:
        yield row(search, "reference", found["reference"]["figures"])
    yield row(search, "best, as it looks", curse["apparent"], n=curse["candidates"])
    yield row(search, "best, less its luck", curse["expected"], n=curse["candidates"])
    if found.get("nested"):
        yield row(search, "nested", nested_figures(found["nested"]["summary"]))


def nested_figures(summary: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a run's summary under the names that searches give them."""
    overall = summary["overall"]
    figures = {
        name: overall[name]["estimate"] for name in ("low_tail_adjacent", "high_tail_adjacent")
    }
    return figures | {
        "worst_prompt_qwk": summary["worst_prompt"]["qwk"],
        "mean_qwk": summary["mean_over_folds"]["qwk"]["mean"],
        "bottom_k_mean": summary["bottom_k_mean"],
        "pooled_qwk": overall["qwk"]["estimate"],
        "mae": overall["mae"]["estimate"],
    }


def row(search: str, what: str, figures: dict[str, Any], n: int | None = None) -> dict[str, Any]:
    """Return a row; `n` is how many candidates the best was chosen from."""
    named = {name: round(float(figures[name]), 6) for name in FIGURES}
    return {"search": search, "what": what, "candidates": n, **named}


def more_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a text says of one search or grid beside its rows."""
    nested = found.get("nested") or {}
    chosen = {"all": found.get("selected"), **nested.get("chosen", {})}
    winners = [one for one in found.get("stability") or [] if one["role"] == "winner"]
    deltas = nested.get("against_reference", {}).get("deltas", [])
    return {
        "search": found["name"],
        "trials": found.get("counts", {}).get("all", {}).get("asked"),
        "reselected": found["winners_curse"]["reselected"],
        "columns": {name: one["params"]["features"] for name, one in chosen.items() if one},
        "nested": {one["metric"]: part_of(one, "estimate", "low", "high", "n") for one in deltas},
        "other_scheme": [
            part_of(one, "run", "mean_qwk", "delta", "low", "high") for one in winners
        ],
        "code_revision": found["code_revision"],
    }


def part_of(whole: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: whole[key] for key in keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    found = [found_in(folder) for folder in asked.folders]
    rows = [row for one in found for row in rows_of(one)]
    write_json(asked.out, {"schema": 1, "rows": rows, "searches": [more_of(one) for one in found]})
    for one in rows:
        cells = [f"{one[name]:.3f}" for name in FIGURES]
        print(f"| {one['search']} | {one['what']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
