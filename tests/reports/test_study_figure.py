"""The figure of a study's arms: what it shows, in which order, and what stands without it."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.reports.study_figure import arms_drawn, arms_svg, write_results
from tests.conftest import ROOT


@pytest.fixture
def study() -> StudyRecord:
    return read_study(ROOT / "docs" / "results" / "ellipse.study.json")


def test_every_arm_is_drawn_the_best_first(study: StudyRecord) -> None:
    rows = arms_drawn(study)
    assert [arm.arm for arm, _ in rows][:3] == [
        "blend-surprisal",
        "blend-svr-stacked",
        "ridge-surprisal",
    ]
    assert {arm.arm for arm, _ in rows} == {run.arm for run in study.runs} - {"reference"}
    text = arms_svg(study)
    assert text is not None
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert all(f">{arm.arm}<" in text for arm, _ in rows)


def test_it_lies_beside_the_figures_and_is_the_same_again(
    study: StudyRecord, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        write_results(tmp_path / name / "x.study.json", study)
    assert read_study(tmp_path / "one" / "x.study.json") == study
    one, other = (tmp_path / name / "x.study.svg" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_a_study_without_comparisons_and_one_without_matplotlib_have_none(
    study: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert arms_svg(study.model_copy(update={"comparisons": ()})) is None
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_results(tmp_path / "x.study.json", study)
    assert [path.name for path in tmp_path.iterdir()] == ["x.study.json"]
