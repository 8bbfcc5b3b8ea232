"""The tables of docs/statistics.md are those that their artifacts hold."""

from __future__ import annotations

import pytest
from benchmarks.statistics_page import PAGE, coverage_table, page, written

CELLS = {"cells": {"a": {"figures": {}, "simulations": 1}}}


def test_the_page_shows_its_artifacts() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run benchmarks/statistics_page.py"


def test_a_refused_interval_is_said_and_figures_are_rounded() -> None:
    figures = {"delta mae": {"coverage": None}, "run mae": {"coverage": 0.9496}}
    table = coverage_table({"8 prompts": {"simulations": 800, "figures": figures}})
    assert table.splitlines()[-1] == "| 8 prompts | 800 | refused | 0.950 |"


def test_a_page_without_the_marks_is_no_page() -> None:
    with pytest.raises(ValueError, match="unpack"):
        page("# Statistics", CELLS, CELLS, {})
