from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.spreadsheets import FORMULA_STARTS, bare_cell, csv_line, harmless_cell
from essay_scoring.core.text import without_controls


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_a_formula_becomes_text(start: str) -> None:
    assert harmless_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", "e-17", "a=b", "'twas", "Distance learning", "3.5", " =1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert harmless_cell(text) == text


@given(st.text())
def test_no_cell_starts_as_a_formula_and_nothing_is_lost(text: str) -> None:
    made = harmless_cell(text)
    assert not made.startswith(FORMULA_STARTS)
    assert bare_cell(made) == text


@given(st.text(alphabet="'=+a1"))
def test_an_apostrophe_of_its_own_is_kept(text: str) -> None:
    assert bare_cell(harmless_cell(text)) == text


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["a", "1.5", ""], "a,1.5,\n"),
        (["a,b", 'say "x"'], '"a,b","say ""x"""\n'),
        (["a\rb", " c "], '"a\rb"," c "\n'),
    ],
)
def test_a_record_is_quoted_where_it_must_be(cells: list[str], line: str) -> None:
    assert csv_line(cells) == line


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_record_comes_back_as_it_was(cells: list[str]) -> None:
    text = csv_line(cells)
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [
        [without_controls(cell) for cell in cells]
    ]
