from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import write_json
from essay_scoring.reports.search_figures import ends, history, importance, parallel
from essay_scoring.reports.search_report import (
    grid_answer,
    search_answer,
    write_grid_reports,
    write_search_reports,
)
from essay_scoring.reports.search_tables import FIGURES, search_tables
from tests.reports.pages import Page

Row = dict[str, Any]


def figures(worst: float, mean: float) -> Row:
    """Return all figures of a trial."""
    return dict.fromkeys(FIGURES, 0.5) | {"worst_prompt_qwk": worst, "mean_qwk": mean}


def trial(slot: int, worst: float, feasible: bool | None, state: str = "complete") -> Row:
    """Return a row of optuna_trials.json."""
    return {
        "number": slot,
        "slot": slot,
        "state": state,
        "repeats": None,
        "params": {"scorer.learning_rate": 0.01 * (slot + 1), "features": "<drop3>"},
        "key": [worst, 0.6],
        "feasible": feasible,
        "figures": figures(worst, 0.6),
    }


TRIALS = [
    trial(0, 0.4, True),
    trial(1, 0.6, False),
    trial(2, 0.5, True),
    trial(3, 0.3, None, "pruned"),
]
DELTA = {"metric": "worst_prompt_qwk", "reference": 0.45, "candidate": 0.42, "estimate": -0.03}
DELTAS = [DELTA | {"low": -0.1, "high": 0.05}]
DELTAS.append(DELTAS[0] | {"metric": "mean_qwk", "reference": 0.61, "candidate": 0.62})
SEARCH: Row = {
    "name": "a <search>",
    "label": "selected on the folds it reports",
    "objective": "worst_prompt_qwk_then_mean_qwk",
    "scheme": "prompt_holdout",
    "settings": {"guardrails": {"low_tail_adjacent": 0.01, "high_tail_adjacent": 0.02}},
    "few": True,
    "cap": 50,
    "trials_beyond_cap": None,
    "allow_tail_regression": False,
    "reference": {"figures": figures(0.45, 0.61)},
    "selected": {"slot": 2, "params": TRIALS[2]["params"], "figures": figures(0.5, 0.6)},
    "runner_up": {"slot": 0, "params": TRIALS[0]["params"], "figures": figures(0.4, 0.6)},
    "against_reference": {"deltas": DELTAS},
    "winners_curse": {
        "apparent": figures(0.5, 0.6),
        "drop": figures(0.06, 0.01),
        "expected": figures(0.44, 0.59),
        "reselected": 0.4,
        "candidates": 3,
    },
    "nested": None,
    "importances": {"scorer.learning_rate": 0.8, "features": 0.2},
    "stability": [
        {"role": "reference", "run": "r-1", "mean_qwk": 0.6, "delta": 0.0, "low": 0.0, "high": 0.0}
    ],
    "counts": {
        "all": {
            "asked": 4,
            "tried": 4,
            "complete": 3,
            "pruned": 1,
            "failed": 0,
            "repeats": 2,
            "exhausted": False,
        }
    },
}
SWEEP: Row = {
    "name": "a-grid",
    "label": "selected on the folds it reports",
    "objective": "mean_qwk",
    "axes": {"scorer.max_depth": [3, 4]},
    "cells": [
        {
            "rank": rank,
            "cell": rank,
            "params": {"scorer.max_depth": 2 + rank},
            "state": "complete",
            "figures": figures(0.4, 0.7 - rank / 10),
            "seconds": 1.0,
            "reason": None,
        }
        for rank in (1, 2)
    ],
    "winners_curse": None,
}


def folder_of(tmp_path: Path, search: Row) -> Path:
    write_json(tmp_path / "artifacts" / "search.json", search)
    parts = {"schema": 1, "objective": search["objective"], "parts": {"all": TRIALS}}
    write_json(tmp_path / "artifacts" / "optuna_trials.json", parts)
    return tmp_path


def test_the_answer_names_the_luck_and_the_folds() -> None:
    said = search_answer(SEARCH)
    assert "Trial 2 was selected: worst prompt 0.500 and mean QWK 0.600" in said
    assert "0.060 is expected to be the luck of the best of 3, which leaves 0.440" in said
    assert "selected on the folds it reports" in said


def test_the_nested_answer_gives_both_scorers_on_untouched_folds() -> None:
    search = copy.deepcopy(SEARCH)
    search["nested"] = {"against_reference": {"deltas": DELTAS}, "chosen": {}}
    said = search_answer(search)
    assert "gives worst prompt 0.420 and mean QWK 0.620" in said
    assert "(the reference: worst prompt 0.450 and mean QWK 0.610)" in said
    assert "selected on the folds it reports" not in said
    assert "nested: searching like this" in str(search_tables(search, {"parts": {}})[0].rows)


def test_no_selectable_trial_is_said_with_the_tolerances() -> None:
    said = search_answer(SEARCH | {"selected": None, "runner_up": None, "winners_curse": None})
    assert "more than 0.01 (low) or 0.02 (high)" in said
    assert "The reference stays." in said


def test_trials_stand_best_first_and_pruned_ones_last() -> None:
    table = search_tables(SEARCH, {"parts": {"all": TRIALS}})[-1]
    assert [row[0] for row in table.rows] == ["1", "2", "0", "3"]
    assert [row[2] for row in table.rows] == ["no", "yes", "yes", "-"]


def test_pages_are_whole_escaped_and_need_no_network(tmp_path: Path) -> None:
    paths = write_search_reports(folder_of(tmp_path, SEARCH))
    assert [path.name for path in paths] == ["optuna_summary.md", "report.html"]
    text = paths[1].read_text(encoding="utf-8")
    page = Page(text)
    assert page.faults == []
    assert "<search>" not in text
    assert "a <search>" in page.text
    assert not any(value.startswith("http") for value in page.values("href") + page.values("src"))
    for caption in ("History", "Importance", "Parallel coordinates", "Trials of all"):
        assert caption in page.text
    assert page.tags.count("svg") == 3
    again = write_search_reports(tmp_path)[1].read_text(encoding="utf-8")
    assert again == text


@pytest.mark.parametrize("caveat", ["few", "allow_tail_regression", "trials_beyond_cap"])
def test_caveats_stand_in_both_reports(tmp_path: Path, caveat: str) -> None:
    told = {
        "few": "Fewer than 30 trials",
        "allow_tail_regression": "tails were allowed to get worse",
        "trials_beyond_cap": "More than 50 trials were asked for, because: True",
    }
    with_it = write_search_reports(folder_of(tmp_path / "with", SEARCH | {caveat: True}))
    without = write_search_reports(folder_of(tmp_path / "without", SEARCH | {caveat: None}))
    for path, other in zip(with_it, without, strict=True):
        assert told[caveat] in path.read_text(encoding="utf-8")
        assert told[caveat] not in other.read_text(encoding="utf-8")


def test_a_grid_has_its_ranking_in_both_reports(tmp_path: Path) -> None:
    write_json(tmp_path / "artifacts" / "sweep.json", SWEEP)
    paths = write_grid_reports(tmp_path)
    assert [path.name for path in paths] == ["sweep_summary.md", "report.html"]
    assert "| 1 | 3 | complete |" in paths[0].read_text(encoding="utf-8")
    assert Page(paths[1].read_text(encoding="utf-8")).faults == []
    assert grid_answer(SWEEP).startswith("The best of 2 cells has mean QWK 0.600, selected on")
    failed = SWEEP | {"cells": [SWEEP["cells"][0] | {"state": "failed"}]}
    assert grid_answer(failed) == "No cell has the figures to be ranked by."


def test_there_is_nothing_to_draw_of_nothing() -> None:
    assert history([TRIALS[3]], "mean_qwk", None) is None
    assert importance({}) is None
    assert parallel([]) is None
    assert ends([]) == ""


def test_the_ends_of_the_coordinates_are_told_in_words() -> None:
    assert ends(TRIALS) == "learning_rate 0.01 to 0.03; features <drop3>"
