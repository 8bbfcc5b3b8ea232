"""The page of a study: hostile names, and nothing sticking out in a real browser."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.reports.decision import decision_record
from essay_scoring.reports.study_reports import delta_plot, study_page
from tests.reports.test_browser import PROBE, chromium

HOSTILE = "<script>alert('x')</script> | \u202e\" " + "verylongname" * 12


def figure(value: float | None) -> dict[str, Any]:
    return {"estimate": value, "low": -0.1, "high": 0.9, "n": 40}


def made_study() -> dict[str, Any]:
    names = ("qwk", "mae", "low_tail_adjacent", "high_tail_adjacent")
    summary = {
        "n": 40,
        "overall": {name: figure(0.5) for name in names},
        "mean_over_folds": {"qwk": {"mean": 0.5, "std": 0.1}},
        "worst_prompt": None,
        "bottom_k_mean": None,
    }
    check = {"metric": "mean_qwk", "kind": "guardrail", "threshold": -0.01, "n": 40}
    check |= {"delta": 0.02, "low": -0.05, "high": 0.08, "result": "passed"}
    gate: dict[str, Any] = {"arm": HOSTILE, "plan": "p", "plan_sha256": "f" * 64, "rule": "point"}
    gate |= {"scheme": "prompt_holdout", "verdict": "pass", "checks": [check]}
    invalid = {key: gate[key] for key in ("arm", "plan", "plan_sha256", "rule", "scheme")}
    run: dict[str, Any] = {
        "arm": HOSTILE,
        "role": "candidate",
        "scheme": "prompt_holdout",
        "run": "r-1",
    }
    run |= {"summary": summary, "baselines": {"mean": summary}, "seconds": 1.5}
    return {
        "name": "made",
        "date": "2026-01-01",
        "question": HOSTILE,
        "outcome": "proceed",
        "reason": HOSTILE,
        "decided_run": "r-1",
        "data": {"data_sha256": "a" * 64, "splits_sha256": "b" * 64},
        "runs": [run | {"manifest_sha256": "c" * 64}],
        "gates": [gate, invalid | {"verdict": "invalid", "reason": HOSTILE}],
        "code_revision": "d" * 64,
        "git": {"commit": None, "dirty": None},
        "machine": {"processor": "one", "threads": 2},
    }


def test_hostile_names_are_escaped_and_missing_figures_stay_missing() -> None:
    page = study_page(made_study())
    assert "<script>" not in page
    assert "Invalid evidence" in page
    assert re.search(r"<td>-</td>", page)


def test_the_page_needs_no_network_and_no_script() -> None:
    page = study_page(made_study())
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script" not in page


def test_the_record_keeps_its_tables_whole() -> None:
    record = decision_record(made_study(), "made-1")
    for line in record.splitlines():
        if line.startswith("| candidate"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 9


def test_deltas_lie_where_they_belong() -> None:
    plot = delta_plot(made_study()["gates"][0])
    [row] = plot["rows"]
    assert row["low_at"] < row["threshold_at"] < plot["zero"] == 50 < row["delta_at"]
    assert row["delta_at"] < row["high_at"] < 100


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    probe = tmp_path / "probe.html"
    shown: dict[str, Any] = {"width": width, "height": 900}
    page = html.escape(study_page(made_study()))
    probe.write_text(PROBE.format(page=page, **shown), encoding="utf-8")
    dom = chromium(tmp_path, "--dump-dom", probe.as_uri())
    found = re.search(r'<p id="found">\[(\d+),(\d+),(\d+)\]</p>', dom)
    assert found is not None
    scroll, client, outside = map(int, found.groups())
    assert client == pytest.approx(width, abs=20)
    assert (scroll, outside) == (client, 0)
