"""Several runs against one reference: one table, one page, hostile names and all."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.judging.comparison_record import compare_candidates
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.judgements import CandidatesRecord
from essay_scoring.reports.comparison_report import (
    comparison_markdown,
    comparison_page,
    write_comparison_report,
)
from essay_scoring.reports.comparison_tables import comparison_tables
from essay_scoring.reports.forest import arms_forest, gate_forest
from essay_scoring.statistics.hypothesis_tests import holm
from tests.reports.made_comparison import NAMES, PLAN, made_comparison, made_record
from tests.reports.pages import Page
from tests.statistics.made import made_predictions, rescored


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> CandidatesRecord:
    return made_comparison(tmp_path_factory.mktemp("compared"))


def test_every_candidate_is_judged_tested_and_adjusted(record: CandidatesRecord) -> None:
    assert [gate.arm for gate in record.gates] == list(NAMES)
    [compared] = record.comparisons
    alone = {arm.arm: arm.prompt_test.p if arm.prompt_test else None for arm in compared.arms}
    assert {arm.arm: arm.holm.prompt_test for arm in compared.arms} == holm(alone)
    for arm in compared.arms:
        assert arm.fold_test is not None
        assert arm.fold_test.n_folds == 3
        assert arm.mixed_model is not None
        assert arm.mixed_model.converged
        assert arm.covariates is not None
        assert arm.covariates[0].covariate == "word_count"
    assert compared.statistics is None
    assert record.registered is None


def test_the_page_shows_every_arm_and_runs_nothing(record: CandidatesRecord) -> None:
    text = comparison_page(record)
    page = Page(text)
    assert page.faults == []
    assert "script" not in page.tags
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    for name in NAMES[:1]:
        assert name in page.text
    assert "title" in page.tags


def test_the_markdown_keeps_its_tables_whole(record: CandidatesRecord) -> None:
    text = comparison_markdown(record)
    assert "<script>" not in text
    for table in comparison_tables(record.comparisons[0]):
        rows = text.split(f"## {table.caption}\n\n")[1].splitlines()
        cut = rows.index("") if "" in rows else len(rows)
        assert cut == len(table.rows) + 2
        for line in rows[:cut]:
            assert len(re.findall(r"(?<!\\)\|", line)) == len(table.columns) + 1


def test_the_report_is_two_files(record: CandidatesRecord, tmp_path: Path) -> None:
    paths = write_comparison_report(record, tmp_path / "out")
    assert [path.name for path in paths] == ["comparison.md", "comparison.html"]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_deltas_lie_where_they_belong(record: CandidatesRecord) -> None:
    forest = arms_forest(record.comparisons[0])
    assert forest["zero"] == 50
    for rows in forest["figures"].values():
        for row in rows:
            assert (row["estimate"] > 0) == (row["estimate_at"] > 50)
            assert 0 <= row["estimate_at"] <= 100
            if row["low"] is not None:
                assert row["low_at"] <= row["estimate_at"] <= row["high_at"]
    plot = gate_forest(record.gates[0])
    [row] = plot["rows"]
    # The threshold -1.0 is the farthest from zero: at 50 - 50 / 1.05 = 2.38.
    assert row["threshold_at"] == 2.38


def test_a_candidate_named_twice_is_refused(tmp_path: Path) -> None:
    first = made_record(tmp_path / "a", made_predictions())
    with pytest.raises(InputError, match="there twice"):
        compare_candidates(first, [first, first], PLAN)


def test_without_statsmodels_it_says_how_to_have_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "statsmodels"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    record = made_comparison(tmp_path, n=1)
    [compared] = record.comparisons
    assert compared.statistics is not None
    assert "pip install 'essay-scoring[statistics]'" in compared.statistics
    assert compared.arms[0].prompt_test is not None
    for text in (comparison_markdown(record), html.unescape(comparison_page(record))):
        assert "pip install 'essay-scoring[statistics]'" in text


def test_a_slice_without_essays_leaves_dashes_and_no_dots(tmp_path: Path) -> None:
    large = GatePlan.model_validate(PLAN.model_dump() | {"min_prompt_n": 399})
    first = made_predictions()
    run, other = made_record(tmp_path / "a", first), rescored(first, seed=1)
    record = compare_candidates(run, [made_record(tmp_path / "b", other, columns=False)], large)
    [arm] = record.comparisons[0].arms
    assert arm.prompt_test is None
    forest = arms_forest(record.comparisons[0])
    [row] = forest["figures"]["worst-prompt QWK"]
    assert row["estimate_at"] is None
    page = comparison_page(record)
    assert "None" not in Page(page).text
