from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from essay_scoring.core.files import read_json
from essay_scoring.records.audit_record import AuditSection, DetailTable, Figure
from essay_scoring.reports.explain_report import (
    explain_page,
    explain_text,
    write_explain_pages,
    write_explain_reports,
)
from tests.records.made import made_explanation
from tests.reports.made_run import HOSTILE
from tests.reports.pages import Page

SHAP = AuditSection(
    "shap_by_construct",
    "What moves the predictions",
    "Of all that moves out-of-fold predictions: embeddings 60%, mechanics 40%.",
    figures=[
        Figure("mean |phi|", "embeddings", 0.3, 90, 0.25, 0.36),
        Figure("mean |phi|", "mechanics", 0.2, 90, None, None),
    ],
    tables=[DetailTable("Columns", ("construct", "columns", "share"), [("mechanics", 4, 0.4)])],
)
DROP = AuditSection(
    "drop_column",
    "What each construct is worth",
    "No construct left out alone costs mean QWK.",
    figures=[
        Figure("change of mean QWK", "mechanics", -0.03, 90, -0.05, -0.01),
        Figure("change of mean QWK", "length", None, 90),
    ],
)
CARD = AuditSection(
    "failure_card",
    f"Failure card: {HOSTILE[0]}",
    "QWK 0.20 on 30 essays.",
    figures=[Figure("QWK", HOSTILE[0], 0.2, 30, 0.0, 0.4)],
    tables=[DetailTable("Most over-scored", ("essay", "true"), [("<b>e1</b>", 2.0)])],
)


WHOLE = made_explanation(SHAP, DROP, CARD)


def test_three_files_tell_the_same(tmp_path: Path) -> None:
    names = [path.name for path in write_explain_reports(WHOLE, tmp_path)]
    assert names == ["explain.json", "explain.html", "explain.svg"]
    # Read back rows are lists; what they hold is the same.
    assert read_json(tmp_path / "explain.json")["sections"][0]["finding"] == SHAP.finding
    svg = (tmp_path / "explain.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "embeddings 0.300, mechanics 0.200" in svg


def test_the_page_comes_from_the_record_on_disk_alone(tmp_path: Path) -> None:
    paths = write_explain_reports(WHOLE, tmp_path)
    before = [path.read_bytes() for path in paths]
    for path in paths[1:]:
        path.unlink()
    write_explain_pages(tmp_path)
    assert [path.read_bytes() for path in paths] == before


def test_the_page_is_well_formed_and_alone() -> None:
    page = Page(explain_page(WHOLE))
    assert page.faults == []
    assert not {"script", "link", "iframe", "img", "b"} & set(page.tags)
    assert page.tags.count("svg") == 2
    for one in (SHAP, DROP, CARD):
        assert one.finding in page.text
    assert HOSTILE[0] in page.text
    assert "<b>e1</b>" in page.texts


def test_the_drawings_are_told_in_words() -> None:
    page = explain_page(WHOLE)
    assert "moves a prediction on average: embeddings 0.300, mechanics 0.200" in page
    assert "mechanics -0.030, length -" in page


def test_a_figure_without_interval_or_estimate_is_shown_without() -> None:
    said = explain_text(WHOLE)
    assert "mechanics   0.200" in said
    assert "-0.030 [-0.050, -0.010]" in said
    assert "length     -" in said
    assert CARD.finding in said


@pytest.mark.parametrize("sections", [(SHAP,), (SHAP, CARD), (replace(SHAP, figures=[]),)])
def test_sections_may_be_missing(sections: tuple[AuditSection, ...], tmp_path: Path) -> None:
    write_explain_reports(made_explanation(*sections), tmp_path)
    page = Page((tmp_path / "explain.html").read_text(encoding="utf-8"))
    assert page.faults == []
    assert page.tags.count("svg") == (1 if sections[0].figures else 0)
    assert (tmp_path / "explain.svg").exists() == bool(sections[0].figures)


def test_without_matplotlib_the_tables_remain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    names = [path.name for path in write_explain_reports(WHOLE, tmp_path)]
    assert names == ["explain.json", "explain.html"]
    page = Page((tmp_path / "explain.html").read_text(encoding="utf-8"))
    assert "figures need: pip install 'essay-scoring[figures]'" in page.text
    assert "0.300 [0.250, 0.360]" in page.text


def test_an_old_figure_does_not_outlive_its_record(tmp_path: Path) -> None:
    write_explain_reports(WHOLE, tmp_path)
    write_explain_reports(made_explanation(replace(SHAP, figures=[])), tmp_path)
    assert not (tmp_path / "explain.svg").exists()
