from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.number_text import number
from essay_scoring.core.record import read_record
from essay_scoring.core.worker_pool import WORKERS_VARIABLE
from essay_scoring.records.power_results import DetectableDelta, PowerRecord
from essay_scoring.reports.power_report import (
    power_markdown,
    power_page,
    power_text,
    tables,
    write_power_reports,
)
from tests.judging.made_power import small_record
from tests.reports.pages import Page


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PowerRecord]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS_VARIABLE, "1")
        yield small_record(tmp_path_factory.mktemp("power") / "run")


def test_four_files_tell_the_same(record: PowerRecord, tmp_path: Path) -> None:
    names = [path.name for path in write_power_reports(record, tmp_path)]
    assert names == ["power.json", "power.md", "power.html", "power.svg"]
    assert read_record(PowerRecord, tmp_path / "power.json") == record
    for name in names[:3]:
        assert record.conclusion in (tmp_path / name).read_text(encoding="utf-8")


def test_the_same_record_gives_the_same_bytes(record: PowerRecord, tmp_path: Path) -> None:
    one, other = (write_power_reports(record, tmp_path / name) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_the_figure_is_a_drawing_of_its_own(record: PowerRecord, tmp_path: Path) -> None:
    write_power_reports(record, tmp_path)
    text = (tmp_path / "power.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "--accent: #0b62c4" in text
    assert "background: var(--paper)" in text
    assert "better everywhere (pooled QWK)" in text
    assert "Helvetica" not in text


def test_without_matplotlib_the_tables_remain(
    record: PowerRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    names = [path.name for path in write_power_reports(record, tmp_path)]
    assert names == ["power.json", "power.md", "power.html"]
    page = Page((tmp_path / "power.html").read_text(encoding="utf-8"))
    assert "figures need: pip install 'essay-scoring[figures]'" in page.text
    assert page.faults == []


def test_the_page_is_well_formed_and_alone(record: PowerRecord) -> None:
    page = Page(power_page(record))
    assert page.faults == []
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    assert page.tags.count("svg") == 2
    assert page.tags.count("table") == 4


def test_a_plan_s_question_is_shown_and_never_obeyed(record: PowerRecord) -> None:
    hostile = "<script>alert(1)</script>"
    plan = record.plan.model_copy(update={"question": hostile})
    page = Page(power_page(record.model_copy(update={"plan": plan})))
    assert hostile in page.texts
    assert "script" not in page.tags


def test_every_condition_check_and_candidate_has_its_row(record: PowerRecord) -> None:
    conditions, checks, candidates, figures = (rows for _, _, rows in tables(record))
    assert [row[0] for row in conditions] == [trial.name for trial in record.trials]
    assert [row[0] for row in checks] == [check.metric for check in record.plan.checks]
    assert len(candidates) == len(record.trials[0].candidates)
    assert len(figures) == 3
    for _, header, rows in tables(record):
        assert all(len(row) == len(header) for row in rows)
    said = power_text(record) + power_markdown(record)
    for row in record.trials[0].detectable:
        if row.delta:
            assert said.count(number(row.delta, sign=True)) >= 2


def test_a_delta_beyond_what_was_tried_says_so(record: PowerRecord) -> None:
    row = DetectableDelta(
        scenario="everywhere",
        check=None,
        metric="mean_qwk",
        kind="plan",
        delta=None,
        low=0.1,
        high=None,
        tried=0.21,
    )
    trial = record.trials[0]

    def shown(**changes: Any) -> str:
        rows = (row.model_copy(update=changes), *trial.detectable[1:])
        changed = trial.model_copy(update={"detectable": rows})
        return tables(record.model_copy(update={"trials": (changed,)}))[0][2][0][-1]

    assert shown() == "> +0.210"
    assert shown(delta=0.15) == "+0.150 [+0.100, > +0.210]"
    assert shown(delta=0.0) == "none needed"
    assert shown(delta=0.15, high=0.2) == "+0.150 [+0.100, +0.200]"
