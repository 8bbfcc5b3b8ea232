"""The page of a study: hostile names, and nothing sticking out in a real browser."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.reports.decision import decision_record
from essay_scoring.reports.study_reports import study_page
from tests.reports.made_comparison import made_comparison
from tests.reports.pages import Page
from tests.reports.test_browser import PROBE, chromium

HOSTILE = "<script>alert('x')</script> | \u202e\" " + "verylongname" * 12


def figure(value: float | None) -> dict[str, Any]:
    return {"estimate": value, "low": -0.1, "high": 0.9, "n": 40}


def made_study(folder: Path) -> dict[str, Any]:
    names = ("qwk", "mae", "low_tail_adjacent", "high_tail_adjacent")
    summary = {
        "n": 40,
        "overall": {name: figure(0.5) for name in names},
        "mean_over_folds": {"qwk": {"mean": 0.5, "std": 0.1}},
        "worst_prompt": None,
        "bottom_k_mean": None,
    }
    run: dict[str, Any] = {
        "arm": HOSTILE,
        "role": "candidate",
        "scheme": "prompt_holdout",
        "seed": 42,
        "run": "r-1",
        "manifest_sha256": "c" * 64,
        "summary": summary,
        "baselines": {"mean": summary},
        "seconds": 1.5,
    }
    compared = made_comparison(folder)
    rule = {"rule": "host", "asked": "big", "found": HOSTILE, "met": True}
    gates = [
        gate | {"candidate_runs": ["r-1"], "evidence": {"r-1": [rule]}}
        for gate in compared["gates"]
    ]
    invalid = gates[0] | {"verdict": "invalid", "reason": HOSTILE, "checks": [], "evidence": {}}
    attempt = {
        "entry": 1,
        "run": "r-0",
        "plan": "p",
        "started": None,
        "time": "t",
        "reason": HOSTILE,
    }
    tuning: dict[str, Any] = {"arm": HOSTILE, "search": "s-1", "mode": "flat", "figure": "mean_qwk"}
    tuning |= {"objective": "mean_qwk", "trials": 30, "tried": 29, "space": ["scorer.max_depth"]}
    return {
        "name": "made",
        "folder": "made-1",
        "date": "2026-01-01",
        "question": HOSTILE,
        "outcome": "proceed",
        "reason": HOSTILE,
        "decided_run": "r-1",
        "tuning": tuning | {"params": {"scorer.max_depth": 3}, "expected_drop": 0.0312},
        "data": {"data_sha256": "a" * 64, "splits_sha256": "b" * 64},
        "plans": [{"name": "p", "sha256": "f" * 64, "registered": {"time": "t"}, "power": HOSTILE}],
        "arms": [
            {
                "arm": HOSTILE,
                "role": "candidate",
                "ending": end,
                "reason": HOSTILE,
                "unstable": None,
            }
            for end in ("pass", "not_run")
        ],
        "runs": [run],
        "gates": [*gates, invalid],
        "comparisons": compared["comparisons"],
        "attempts": [attempt],
        "checklist": [
            {"item": "one", "met": True, "evidence": HOSTILE},
            {"item": "two", "met": False, "evidence": HOSTILE},
        ],
        "code_revision": "d" * 64,
        "git": {"commit": None, "dirty": None},
        "machine": {"processor": "one", "threads": 2},
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return made_study(tmp_path_factory.mktemp("study"))


def test_hostile_names_are_escaped_and_missing_figures_stay_missing(study: dict[str, Any]) -> None:
    text = study_page(study)
    page = Page(text)
    assert page.faults == []
    assert "script" not in page.tags
    assert "Invalid evidence" in page.text
    assert re.search(r"<td>-</td>", text)
    assert "None" not in page.text.replace("commit None", "").replace("started None", "")


def test_the_page_needs_no_network_and_no_script(study: dict[str, Any]) -> None:
    page = study_page(study)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script" not in page


def test_the_page_links_to_every_run_and_every_attempt(study: dict[str, Any]) -> None:
    links = Page(study_page(study)).values("href")
    assert "../../r-1/reports/report.html" in links
    assert "../../r-0/" in links


def test_the_record_keeps_its_tables_whole(study: dict[str, Any]) -> None:
    record = decision_record(study)
    lines = [line for line in record.splitlines() if line.startswith("| candidate")]
    assert lines
    for line in lines:
        assert len(re.findall(r"(?<!\\)\|", line)) == 9
    assert "expected to fall" in record
    assert "- [x] one: " in record
    assert "- [ ] two: " in record
    assert "attempt 1, `r-0`" in record


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out(study: dict[str, Any], tmp_path: Path, width: int) -> None:
    probe = tmp_path / "probe.html"
    shown: dict[str, Any] = {"width": width, "height": 900}
    page = html.escape(study_page(study))
    probe.write_text(PROBE.format(page=page, **shown), encoding="utf-8")
    dom = chromium(tmp_path, "--dump-dom", probe.as_uri())
    found = re.search(r'<p id="found">\[(\d+),(\d+),(\d+)\]</p>', dom)
    assert found is not None
    scroll, client, outside = map(int, found.groups())
    assert client == pytest.approx(width, abs=20)
    assert (scroll, outside) == (client, 0)
