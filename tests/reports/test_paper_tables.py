"""Tables for papers: escaped for LaTeX and for spreadsheets, and equal to what was found."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.errors import InputError
from essay_scoring.core.record import write_record
from essay_scoring.records.judgements import JudgementRecord, Registration
from essay_scoring.reports.paper_tables import (
    csv_text,
    harmless,
    latex,
    latex_text,
    source_tables,
    write_tables,
)
from essay_scoring.reports.table_cells import Column, ReportTable, cell_text
from tests.reports.made_comparison import NAMES, made_comparison

TABLE = ReportTable(
    "made",
    "A caption\nof two lines",
    (
        Column("arm", "text"),
        Column("mean QWK", "spread"),
        Column("delta [95%]", "interval", signed=True),
        Column("at", "threshold"),
        Column("p", "p"),
        Column("n", "count"),
        Column("note", "text"),
    ),
    [
        ["[a] & =b", (0.5, 0.025), (-0.01, -0.0471, None), 0.01, 0.0001, 12, None],
        ["=SUM(A1)", None, None, None, None, None, "-x"],
    ],
)


def test_csv_has_a_column_for_every_number_with_every_digit() -> None:
    header, first, second = csv.reader(io.StringIO(csv_text(TABLE)))
    assert header == [
        "arm",
        "mean QWK",
        "mean QWK SD",
        "delta",
        "delta low",
        "delta high",
        "at",
        "p",
        "n",
        "note",
    ]
    assert first == ["[a] & =b", "0.5", "0.025", "-0.01", "-0.0471", "", "0.01", "0.0001", "12", ""]
    assert second == ["'=SUM(A1)", "", "", "", "", "", "", "", "", "'-x"]


def test_latex_is_a_plain_tabular_as_it_is_printed() -> None:
    assert latex_text(TABLE).splitlines() == [
        "% A caption of two lines",
        r"\begin{tabular}{lrrrrrl}",
        r"\hline",
        r"arm & mean QWK & delta {[}95\%] & at & p & n & note \\",
        r"\hline",
        (
            r"{[}a] \& =b & $0.500 \pm 0.025$ & $-0.010 \,[-0.047, -]$ & $\geq +0.010$ "
            r"& $<0.001$ & $12$ & - \\"
        ),
        r"=SUM(A1) & - & - & - & - & - & -x \\",
        r"\hline",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\uff1d", " =", "\t=", "\r=", "\n@", "\u200b="]
)
def test_no_name_is_a_formula(start: str) -> None:
    assert harmless(f"{start}cmd|' /C calc'!A0").startswith("'")


@given(st.text(max_size=40))
def test_every_name_is_one_field_that_no_spreadsheet_runs(name: str) -> None:
    table = ReportTable("t", "c", (Column("arm", "text"), Column("n", "count")), [[name, 3]])
    [_, row] = csv.reader(io.StringIO(csv_text(table)), strict=True)
    assert row[1] == "3"
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.text(alphabet=st.sampled_from('\\{}$&#%_^~<>|`"[]*ab \n≥±'), max_size=30))
def test_every_name_is_balanced_latex_on_one_line(name: str) -> None:
    """Whatever marks a name has, each stands escaped: what is left has no special mark."""
    text = latex(name)
    assert "\n" not in text
    known = r"\\text[a-z]+\{\}|\\[{}$&#%_]|\{\[\}|\{\*\}|\$\\(?:geq|pm)\$"
    assert not set(re.sub(known, "", text)) & set('\\{}$&#%_^~<>|`"*[')


def test_the_tables_of_a_comparison_are_its_numbers(tmp_path: Path) -> None:
    record = made_comparison(tmp_path)
    source = tmp_path / "comparison.json"
    write_record(source, record)
    paths = write_tables(source, tmp_path / "out")
    assert {path.suffix for path in paths} == {".csv", ".tex"}
    stems = {path.stem for path in paths}
    expected = ("deltas", "tests", "worst-prompts", "mixed-model", "covariates")
    assert stems == {"checks", *(f"{name}-prompt_holdout" for name in expected)}
    with (tmp_path / "out" / "deltas-prompt_holdout.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    found = [(delta, arm) for arm in record.comparisons[0].arms for delta in arm.rows]
    assert len(rows) == len(found) == 33
    for row, (delta, arm) in zip(rows, found, strict=True):
        assert row["delta"] == repr(delta.estimate)
        assert row["delta low"] == ("" if delta.low is None else repr(delta.low))
        assert row["arm"] == harmless(arm.arm)
    text = "".join(path.read_text(encoding="utf-8") for path in paths if path.suffix == ".tex")
    assert "\\input" not in text.replace(r"\textbackslash{}input", "")
    assert latex(NAMES[1]) in text


def test_a_registered_judgement_has_tables_too(tmp_path: Path) -> None:
    compared = made_comparison(tmp_path, n=1)
    registered = Registration(
        entry=1,
        plan=compared.plan,
        plan_sha256=compared.plan_sha256,
        data_sha256="a" * 64,
        splits_sha256="b" * 64,
        code_revision="c" * 64,
        time="2026-01-01",
    )
    judged = JudgementRecord.model_validate(
        {
            "question": compared.question,
            "registered": registered,
            "gates": compared.gates,
            "comparisons": compared.comparisons,
            "manifests": {},
        }
    )
    write_record(tmp_path / "judged.json", judged)
    write_record(tmp_path / "compared.json", compared)
    both = [source_tables(tmp_path / f"{name}.json") for name in ("judged", "compared")]
    names = [{table.name: table.rows for table in tables} for tables in both]
    for name in ("checks", "deltas-prompt_holdout", "tests-prompt_holdout"):
        assert names[0][name] == names[1][name]


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"gates": [], "comparisons": []}'])
def test_what_is_no_comparison_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="holds no comparison"):
        source_tables(tmp_path)


def test_a_cell_as_text() -> None:
    assert cell_text(Column("p", "p"), 0.0412) == "0.041"
    assert cell_text(Column("n", "count"), None) == "-"
