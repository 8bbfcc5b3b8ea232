from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.core.number_text import share
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.records.finished_run import RunRecord, read_unsealed
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.reports.cv_report import cv_report
from essay_scoring.reports.residual_diagnostics import residual_diagnostics
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.reports.score_tables import prompt_matrices, scales_table
from essay_scoring.reports.words import headline, markdown, plain
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import summarise
from tests.reports.made_run import (
    HOSTILE,
    hostile_run,
    made_metrics,
    with_hostile_prompts,
    write_made_run,
)
from tests.statistics.made import made_predictions, of_scores

SHORT = ScoreScale(low=0, high=3)


def of_predictions(predictions: Predictions, **changed: Any) -> CvMetrics:
    """Return the metrics of a run without baselines, fits or covariates."""
    values = made_metrics(predictions, "made-1") | {
        "family": "ridge",
        "mapping": {"name": "round_half_band", "cutpoints": {}},
        "summary": summarise(predictions, min_prompt_n=3, replicates=20),
        "baselines": {},
        "fits": [],
    }
    return CvMetrics.model_validate(values | changed)


def run_of(predictions: Predictions) -> RunRecord:
    """Return a run of nothing but predictions."""
    return RunRecord(Path("made-1"), of_predictions(predictions), predictions, {}, None)


def tables(text: str) -> list[list[str]]:
    """Return the tables of a Markdown text, each as its lines."""
    return [block.split("\n") for block in text.strip().split("\n\n") if block.startswith("|")]


def test_three_reports_are_written_and_repeat_themselves(tmp_path: Path) -> None:
    hostile_run(tmp_path)
    paths = write_run_reports(read_unsealed(tmp_path))
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "reports/residual_diagnostics.md",
        "views/cv_report.md",
        "views/report.html",
    ]
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_run_reports(read_unsealed(tmp_path))] == first


def test_hostile_names_break_no_table(tmp_path: Path) -> None:
    hostile_run(tmp_path)
    for path in write_run_reports(read_unsealed(tmp_path))[:2]:
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "\u202e" not in text
        for table in tables(text):
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
            assert len(bars) == 1, table[0]
            assert all(line.startswith("|") for line in table)


def test_the_worst_essays_come_by_steps_then_by_raw() -> None:
    # Steps off: 0, 2, 4, 2; of the two that are 2 steps off, e3 was further off before mapping.
    p = of_scores([3, 3, 3, 3], [3, 4, 5, 2], prompts=["a"] * 4)
    p = replace(p, raw=np.array([3.0, 3.9, 4.9, 1.8]))
    text = residual_diagnostics(of_predictions(p), p)
    worst = tables(text[text.index("## The 4 worst") :])[0][2:]
    assert [line.split(" | ")[0].strip("| ") for line in worst] == ["e2", "e3", "e1", "e0"]
    assert worst[0] == "| e2 | a | 3 | 5 | 4.900 |"


def test_at_most_twenty_essays_are_listed() -> None:
    p = made_predictions(100)
    text = residual_diagnostics(of_predictions(p), p)
    assert len(tables(text[text.index("## The 20 worst") :])[0]) == 22


def test_the_diagnostics_have_every_section_of_the_contract() -> None:
    p = made_predictions(100)
    text = residual_diagnostics(of_predictions(p), p)
    heads = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert heads == [
        "Overall",
        "By prompt (n >= 3)",
        "By score band",
        "Covariates",
        "The 20 worst",
    ]
    assert "predicted minus true" in text


def test_missing_figures_are_dashes() -> None:
    p = of_scores([3, 3], [3, 3])
    run = run_of(p)
    assert "| QWK | - | - | - | 2 |" in residual_diagnostics(run.metrics, p)
    report = cv_report(run)
    assert "has no defined agreement" in report
    assert "No prompt has 3 essays or more." in report
    assert not re.search(r"\bnan\b", report, flags=re.IGNORECASE)


def test_the_headline_names_its_worst_prompt_and_baselines() -> None:
    p = made_predictions(100)
    other = summarise(p, replicates=0)
    text = headline(of_predictions(p, baselines={"mean": other}))
    assert text.startswith("On prompts that training never saw, the ridge scorer agrees")
    assert "the worst of the prompts with 3 essays or more is" in text
    assert f"baselines reach mean {other.overall['qwk'].estimate:.3f}." in text


def test_both_mappings_stand_side_by_side_with_their_errors() -> None:
    p = replace(made_predictions(100), raw=made_predictions(100).raw + 0.3)
    figures = summarise(p, replicates=0).mappings
    report = cv_report(run_of(p))
    for key, name in (
        ("final", "round_half_band (this run)"),
        ("round_half_band", "plain rounding"),
    ):
        values = figures[key]
        assert f"| {name} | {values['qwk']:.3f} | {values['mae']:.3f} |" in report


def test_the_inner_fit_is_shown_beside_the_other(tmp_path: Path) -> None:
    metrics = write_made_run(tmp_path, made_predictions())
    over = metrics["summary"]["mean_over_folds"]
    metrics["mapping"]["inner_vs_lfo"] = {"inner": over, "lfo": over}
    write_json(tmp_path / "artifacts" / "cv_metrics.json", metrics)
    _, report, page = (
        path.read_text(encoding="utf-8") for path in write_run_reports(read_unsealed(tmp_path))
    )
    assert f"| inner | {over['qwk']['mean']:.3f} | {over['mae']['mean']:.3f} |" in report
    assert "leaving out one fold" in page


def test_names_are_made_harmless() -> None:
    assert plain("a\nb\x00c\u202ed") == "a b cd"
    assert markdown("*a* <b> [c](d) `e`") == "\\*a\\* &lt;b&gt; \\[c\\](d) \\`e\\`"
    assert markdown("\n") == "(no name)"
    assert share(None) == "-"


def test_hostile_names_reach_no_markdown_as_they_are() -> None:
    p = with_hostile_prompts(made_predictions(200))
    text = residual_diagnostics(of_predictions(p), p)
    assert set(HOSTILE) & set(p.prompts)
    assert "\n* " not in text
    assert "<script>" not in text


@pytest.mark.parametrize("name", ["cv_metrics.json", "residuals_cv_val_oof.jsonl"])
def test_an_absent_artifact_is_named(tmp_path: Path, name: str) -> None:
    write_made_run(tmp_path, made_predictions(60))
    (tmp_path / "artifacts" / name).unlink()
    with pytest.raises(InputError, match=name):
        write_run_reports(read_unsealed(tmp_path))
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"schema": 1}, "schema"), ({"scales": {}}, "scales")],
)
def test_metrics_of_another_kind_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    metrics = write_made_run(tmp_path, made_predictions(60))
    write_json(tmp_path / "artifacts" / "cv_metrics.json", metrics | change)
    with pytest.raises(InputError, match=said):
        write_run_reports(read_unsealed(tmp_path))


def test_runs_of_several_scales_say_which_step_and_show_each_scale() -> None:
    """Of a 0-60 scale 9 of 10 are a step off; of 0-3 all are right: no one share is of both."""
    scales = ScoreScales(by_prompt={"long": ScoreScale(low=0, high=60), "a": SHORT, "b": SHORT})
    true = np.array([30.0] * 10 + [1.0, 2.0] * 5)
    final = true + np.array([1.0] * 9 + [0.0] + [0.0] * 10)
    names = ("long",) * 10 + ("a", "b") * 5
    p = replace(of_scores(list(true), list(final), prompts=list(names), scales=scales), raw=final)
    table = scales_table(p)
    assert table is not None
    by_scale = {row[0]: row for row in table.rows}
    assert by_scale["0 to 60 by 1"][1:3] == [1, 10]
    assert by_scale["0 to 60 by 1"][4][0] == 0.1
    assert by_scale["0 to 3 by 1"][1:3] == [2, 10]
    assert by_scale["0 to 3 by 1"][4][0] == 1.0
    assert by_scale["0 to 3 by 1"][6] == pytest.approx(1 / 3)
    assert "within one step of the prompt's own scale" in cv_report(run_of(p))
    assert scales_table(made_predictions(60)) is None


def test_a_prompts_matrix_has_its_own_scale_and_adds_up() -> None:
    p = made_predictions(200, n_prompts=4)
    [*matrices] = prompt_matrices(p, 1)
    assert [one.prompt for one in matrices] == sorted(set(p.prompts))
    assert sum(sum(map(sum, one.confusion.counts)) for one in matrices) == 200
    assert prompt_matrices(p, 1000) == []
