"""The tables of docs/statistics.md are those that their artifacts hold."""

from __future__ import annotations

import pytest
from benchmarks.statistics_page import PAGE, coverage_range, coverage_table, page, written

CELLS = {"cells": {"a": {"figures": {"run mae": {"coverage": 0.95}}, "simulations": 1}}}


def test_the_page_shows_its_artifacts() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run benchmarks/statistics_page.py"


def test_a_refused_interval_is_said_and_figures_are_rounded() -> None:
    figures = {"delta mae": {"coverage": None}, "run mae": {"coverage": 0.9496}}
    table = coverage_table({"8 prompts": {"simulations": 800, "figures": figures}})
    assert table.splitlines()[-1] == "| 8 prompts | 800 | refused | 0.950 |"


def test_how_far_coverage_lies_from_the_nominal_is_said() -> None:
    def cell(mae: float | None, worst: float) -> dict[str, object]:
        figures = {"run mae": {"coverage": mae}, "delta worst_prompt_qwk": {"coverage": worst}}
        return {"simulations": 800, "figures": figures}

    cells = {"8 prompts, much": cell(0.985, 0.9), "17 prompts, much": cell(None, 1.0)}
    assert coverage_range(cells | {"32 prompts": cell(0.93, 0.99)}) == (
        "The least of these 2 is 0.930, the worst prompt's aside. 1 lies above 0.98, at most at "
        "0.985, all with 8 prompts: a little too wide. The standard error of 0.98 is 0.005 there."
    )
    assert coverage_range({"32 prompts": cell(0.93, 0.99)}).endswith("the worst prompt's aside.")


def test_a_page_without_the_marks_is_no_page() -> None:
    with pytest.raises(ValueError, match="unpack"):
        page("# Statistics", CELLS, CELLS, {})
