"""The page of a study: hostile names, what lies beside it, what is wrong with its best model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.records.judgements import FamilyWise
from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.reports.decision import decision_record
from essay_scoring.reports.study_reports import study_page, write_study_reports
from essay_scoring.reports.study_table import checks_table
from tests.conftest import ROOT
from tests.reports.pages import Page, without_script
from tests.studies.made_study import HOSTILE, made_study, study_folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return made_study(tmp_path_factory.mktemp("study"))


def test_hostile_names_are_escaped_and_missing_figures_stay_missing(study: StudyRecord) -> None:
    text = study_page(study)
    page = Page(text)
    assert page.faults == []
    assert "script" not in page.tags
    assert "Invalid evidence" in page.text
    assert re.search(r"<td>-</td>", text)
    assert "None" not in page.text.replace("commit None", "").replace("started None", "")


def test_the_page_needs_no_network_and_no_script_of_others(study: StudyRecord) -> None:
    page = study_page(study)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script" not in without_script(page)


def test_ties_and_luck_are_told_on_page_and_record(study: StudyRecord) -> None:
    for text in (Page(study_page(study)).text, decision_record(study)):
        assert "Not told apart in pooled QWK" in text
        assert "'reference'" in text
        assert "'alone'" not in text
        assert "as the best of 3 by mean QWK, 0.012 of its 0.500 would be luck" in text
    unlucky = study.model_copy(update={"luck": None, "tied": ()})
    assert "would be luck" not in study_page(unlucky)
    assert "Not told apart" not in decision_record(unlucky)


def test_the_page_links_to_every_run_and_every_attempt(study: StudyRecord) -> None:
    links = Page(study_page(study)).values("href")
    assert "../../../r-1/views/report.html" in links
    assert "../../../r-0/" in links


def test_the_record_keeps_its_tables_whole(study: StudyRecord) -> None:
    record = decision_record(study)
    lines = [line for line in record.splitlines() if line.startswith("| candidate")]
    assert lines
    for line in lines:
        assert len(re.findall(r"(?<!\\)\|", line)) == 9
    assert "expected to fall" in record
    assert "- [x] one: " in record
    assert "- [ ] two: " in record
    assert "attempt 1, `r-0`" in record


def test_the_decision_comes_first_then_the_arms_then_one_figure(study: StudyRecord) -> None:
    text = study_page(study)
    places = [text.index(mark) for mark in ("<h1>", 'id="arms"', 'id="figure"', 'id="wrong"')]
    assert places == sorted(places)
    assert places[-1] < text.index('id="details"')
    assert "Proceed with" in Page(text).text


def test_what_lies_beside_a_study_is_shown_folded(tmp_path: Path) -> None:
    folder = study_folder(tmp_path)
    page = Page(write_study_reports(folder)[1].read_text(encoding="utf-8"))
    assert page.faults == []
    assert not {"script", "img"} & set(page.tags)
    assert "0.123 [-0.020, 0.300]" in page.text
    assert f": {HOSTILE}".replace("\u202e", "") in page.text
    assert "essay-scoring explain RUNS/r-1" in page.texts
    assert "essay-scoring audit RUNS/r-1" not in page.texts
    # The decided run's artifacts lie beside: its bands and its calibration are told and drawn.
    assert "Scores are drawn to the middle" in page.text
    assert "words in the essay" in page.text


def test_a_study_alone_says_less_and_what_is_lacking(study: StudyRecord) -> None:
    text = Page(study_page(study)).text
    assert "essay-scoring audit RUNS/r-1" in text
    assert "essay-scoring explain RUNS/r-1" in text
    assert "Bias by band" not in text


def test_an_audit_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    folder = study_folder(tmp_path)
    path = tmp_path / "audits" / "r-1" / "audit.json"
    broken: list[Any] = [[], {"sections": [{"name": "x"}]}, {"sections": None}]
    for value in broken:
        write_json(path, value)
        with pytest.raises(InputError, match=r"audit\.json"):
            write_study_reports(folder)


def test_the_published_study_says_what_is_wrong_with_its_winner() -> None:
    study = read_study(ROOT / "docs" / "results" / "surprisal_ridge.study.json")
    text = Page(study_page(study)).text
    assert f"Proceed with {study.decided_arm}" in text
    [run] = [run for run in study.runs if run.arm == study.decided_arm]
    worst = run.summary.worst_prompt
    assert worst is not None
    said = f"“{worst.prompt}” is served worst: QWK {worst.qwk:.3f}, {worst.n} essays."
    assert said in text
    assert re.search(r"9\d\.\d% \(95% interval [^)]+\) of the 119 essays in the low tail", text)
    assert "no sign that longer essays are favoured or punished" in text


def test_of_many_checks_the_first_of_each_gate_is_on_the_first_screen(
    study: StudyRecord,
) -> None:
    gate = study.gates[0]
    [check] = gate.checks
    checks = tuple(check.model_copy(update={"n": n}) for n in range(20))
    many = (gate.model_copy(update={"checks": checks}),)
    before, after = study_page(study.model_copy(update={"gates": many})).split('id="wrong"')
    assert before.count("n 0<") == 1
    assert "n 19<" not in before
    assert after.count("n 19<") == 1
    assert "Every check of every gate" not in study_page(study)


def test_a_gate_shows_its_p_values_alone_and_among_all_candidates(study: StudyRecord) -> None:
    family = FamilyWise(candidates=3, p=0.0002, adjusted_p=0.0253, passes=False)
    gates = (study.gates[0].model_copy(update={"family": family}),)
    told = study.model_copy(update={"gates": gates})
    line = "p < 0.001 alone, p = 0.0253 among all 3 candidates; what passes has at most 0.025"
    assert line in Page(study_page(told)).text
    assert f"{line}." in decision_record(told)
    table = checks_table(gates)
    assert table.texts[0][-2:] == ["<0.001", "0.0253"]
