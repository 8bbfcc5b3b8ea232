from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.audits.subgroups import subgroups
from essay_scoring.core.record import read_record
from essay_scoring.records.audit_record import (
    AuditRecord,
    AuditSection,
    DetailTable,
    Figure,
    read_audit,
)
from essay_scoring.reports.audit_report import audit_page, audit_text, write_audit_reports
from tests.audits.made_evidence import made_evidence
from tests.records.made import made_audit
from tests.reports.made_run import HOSTILE
from tests.reports.pages import Page, without_script

HOSTILE_SECTION = AuditSection(
    "subgroups",
    "Subgroup agreement",
    f"The furthest is {HOSTILE[0]}.",
    "fail",
    [Figure("SMD", name, 0.2, 40, 0.1, 0.3, 0.1, passes=False) for name in HOSTILE],
    [DetailTable("By group", ("group", "n"), [(name, 40) for name in HOSTILE])],
)


def test_hostile_names_are_shown_and_never_obeyed() -> None:
    text = audit_page(made_audit(HOSTILE_SECTION))
    page = Page(text)
    assert page.faults == []
    assert "<script" not in without_script(text)
    for name in HOSTILE:
        assert name.replace("\u202e", "") in page.texts
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "src"]
    links = [value for value in page.values("href") if not value.startswith("#")]
    assert links == ["../../index.html"]


def test_every_section_has_a_line_with_its_verdict_before_any_detail() -> None:
    info = AuditSection("ceilings", "Human ceilings", "One rater.")
    text = audit_page(made_audit(HOSTILE_SECTION, info))
    first, details = text.split(">Details</h2>")
    assert "1 of 2 sections fail, 0 pass, 0 are undecided, 1 without a verdict." in first
    assert first.count('<span class="verdict') == 2
    assert "One rater." in first
    ids = set(Page(text).values("id"))
    assert {x[1:] for x in Page(text).values("href") if x.startswith("#")} <= ids
    assert "0.200 [0.100, 0.300]" in details


def test_groups_of_a_corpus_reach_the_page_escaped() -> None:
    labels = tuple(HOSTILE[row % 2] for row in range(300))
    section = subgroups(made_evidence(300, writers={"<b>g</b>": labels}))
    page = Page(audit_page(made_audit(section)))
    assert page.faults == []
    assert f"<b>g</b>: {HOSTILE[0]}" in page.texts
    assert "b" not in page.tags


def test_both_files_say_the_same_and_others_can_read_them(tmp_path: Path) -> None:
    record = made_audit(HOSTILE_SECTION)
    paths = write_audit_reports(record, tmp_path / "deep" / "folder")
    assert [path.name for path in paths] == ["audit.json", "audit.html"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["audit.html", "audit.json"]
    assert paths[1].read_text(encoding="utf-8") == audit_page(read_record(AuditRecord, paths[0]))
    assert read_audit(AuditRecord, paths[0], "made-0").sections[0].verdict == "fail"
    before = paths[1].read_bytes()
    write_audit_reports(record, paths[0].parent)
    assert paths[1].read_bytes() == before


@pytest.mark.parametrize("width", [20, 200])
def test_the_terminal_gets_one_line_a_section_without_control_characters(width: int) -> None:
    section = AuditSection("a", "Title \u202e\x1b[31m", f"Found {'x' * width}\n\x07.", "pass")
    said = audit_text(made_audit(section), {"a": 1.25})
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\x07" not in said
    assert "pass" in said
    assert "1.2 s" in said
