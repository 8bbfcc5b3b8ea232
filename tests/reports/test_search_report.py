from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from essay_scoring.core.record import write_record
from essay_scoring.records.provenance import GitState, machine
from essay_scoring.records.search import (
    Figures,
    GridCell,
    GridRecord,
    NestedResult,
    SearchFolder,
    SearchRecord,
    StabilityRow,
    TrialCounts,
    TrialRow,
    TrialsRecord,
    TriedConfiguration,
    WinnersCurse,
)
from essay_scoring.records.search_settings import FloatRange, Guardrails, SearchSettings
from essay_scoring.reports.search_figures import ends, history, importance, parallel
from essay_scoring.reports.search_report import (
    grid_answer,
    search_answer,
    write_grid_reports,
    write_search_reports,
)
from essay_scoring.reports.search_tables import FIGURES, search_tables
from essay_scoring.statistics.comparison import Comparison, Delta
from essay_scoring.statistics.summary import Summary
from tests.reports.pages import Page


def figures(worst: float, mean: float) -> Figures:
    """Return all figures of a trial."""
    others: Figures = dict.fromkeys(FIGURES, 0.5)
    return others | {"worst_prompt_qwk": worst, "mean_qwk": mean}


def trial(
    slot: int,
    worst: float,
    feasible: bool | None,
    state: Literal["complete", "pruned"] = "complete",
) -> TrialRow:
    """Return a row of optuna_trials.json."""
    return TrialRow(
        number=slot,
        slot=slot,
        state=state,
        repeats=None,
        params={"scorer.learning_rate": 0.01 * (slot + 1), "features": "<drop3>"},
        fingerprint=f"{slot:064x}",
        key=(worst, 0.6),
        seconds=1.0,
        feasible=feasible,
        figures=figures(worst, 0.6),
    )


def tried(slot: int, worst: float, mean: float) -> TriedConfiguration:
    """Return a configuration as search.json tells of it."""
    params = TRIALS[slot].params if slot >= 0 else {}
    return TriedConfiguration(
        slot=slot, params=params, figures=figures(worst, mean), key=(worst, mean), seconds=1.0
    )


TRIALS = [
    trial(0, 0.4, True),
    trial(1, 0.6, False),
    trial(2, 0.5, True),
    trial(3, 0.3, None, "pruned"),
]


def delta(metric: str, reference: float, candidate: float) -> Delta:
    """Return a delta of -0.03, whatever the figures."""
    return Delta(
        metric=metric,
        reference=reference,
        candidate=candidate,
        estimate=-0.03,
        low=-0.1,
        high=0.05,
        n=300,
        seeds={},
    )


COMPARED = Comparison(
    deltas=(delta("worst_prompt_qwk", 0.45, 0.42), delta("mean_qwk", 0.61, 0.62)),
    fold_test=None,
    prompt_test=None,
    worst_prompts={},
    n=300,
    n_prompts=10,
    n_folds=5,
    min_prompt_n=10,
    bottom_k=3,
    replicates=100,
    seed=1,
)
SEARCH = SearchRecord(
    name="a <search>",
    mode="flat",
    label="selected on the folds it reports",
    objective="worst_prompt_qwk_then_mean_qwk",
    settings=SearchSettings(
        name="around",
        config="ridge.toml",
        guardrails=Guardrails(low_tail_adjacent=0.01, high_tail_adjacent=0.02),
        space={"scorer.learning_rate": FloatRange(kind="float", low=0.01, high=1.0)},
    ),
    scheme="prompt_holdout",
    counts={
        "all": TrialCounts(
            asked=4, tried=4, complete=3, pruned=1, failed=0, repeats=2, exhausted=False
        )
    },
    few=True,
    cap=50,
    trials_beyond_cap=None,
    allow_tail_regression=False,
    reference=tried(-1, 0.45, 0.61),
    selected=tried(2, 0.5, 0.6),
    runner_up=tried(0, 0.4, 0.6),
    against_reference=COMPARED,
    winners_curse=WinnersCurse(
        apparent=figures(0.5, 0.6),
        drop=figures(0.06, 0.01),
        expected=figures(0.44, 0.59),
        reselected=0.4,
        selected=2,
        candidates=3,
        replicates=500,
        seed=1,
    ),
    nested=None,
    importances={"scorer.learning_rate": 0.8, "features": 0.2},
    storage="journal",
    seconds=4.0,
    code_revision="0" * 64,
    git=GitState(commit=None, dirty=None),
    machine=machine(),
    versions={},
    stability=[
        StabilityRow(
            role="reference",
            run="r-1",
            manifest_sha256="0" * 64,
            mean_qwk=0.6,
            delta=0.0,
            low=0.0,
            high=0.0,
        )
    ],
)
SWEEP = GridRecord(
    name="a-grid",
    label="selected on the folds it reports",
    objective="mean_qwk",
    scheme="prompt_holdout",
    axes={"scorer.max_depth": [3, 4]},
    cells=[
        GridCell(
            rank=rank,
            cell=rank,
            params={"scorer.max_depth": 2 + rank},
            state="complete",
            figures=figures(0.4, 0.7 - rank / 10),
            seconds=1.0,
            reason=None,
        )
        for rank in (1, 2)
    ],
    winners_curse=None,
    code_revision="0" * 64,
    git=GitState(commit=None, dirty=None),
    machine=machine(),
)


def changed(**changes: Any) -> SearchRecord:
    """Return the search with some fields changed."""
    return SEARCH.model_copy(update=changes)


def trials_record(trials: list[TrialRow]) -> TrialsRecord:
    """Return optuna_trials.json."""
    return TrialsRecord(objective="mean_qwk", parts={"all": trials})


def folder_of(path: Path, search: SearchRecord) -> Path:
    """Return a folder with the artifacts of a search."""
    folder = SearchFolder(path)
    write_record(folder.search, search)
    write_record(folder.trial_list, trials_record(TRIALS))
    return path


def test_the_answer_names_the_luck_and_the_folds() -> None:
    said = search_answer(SEARCH)
    assert "Trial 2 was selected: worst prompt 0.500 and mean QWK 0.600" in said
    assert "0.060 is expected to be the luck of the best of 3, which leaves 0.440" in said
    assert "selected on the folds it reports" in said


def test_the_nested_answer_gives_both_scorers_on_untouched_folds() -> None:
    summary = Summary.model_construct()
    nested = NestedResult(summary=summary, against_reference=COMPARED, chosen={})
    search = changed(nested=nested)
    said = search_answer(search)
    assert "gives worst prompt 0.420 and mean QWK 0.620" in said
    assert "(the reference: worst prompt 0.450 and mean QWK 0.610)" in said
    assert "selected on the folds it reports" not in said
    assert "nested: searching like this" in str(search_tables(search, trials_record([]))[0].rows)


def test_no_selectable_trial_is_said_with_the_tolerances() -> None:
    said = search_answer(changed(selected=None, runner_up=None, winners_curse=None))
    assert "more than 0.01 (low) or 0.02 (high)" in said
    assert "The reference stays." in said


def test_trials_stand_best_first_and_pruned_ones_last() -> None:
    table = search_tables(SEARCH, trials_record(TRIALS))[-1]
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


@pytest.mark.parametrize(
    ("caveat", "value", "neutral", "line"),
    [
        ("few", True, False, "Fewer than 30 trials"),
        ("allow_tail_regression", True, False, "tails were allowed to get worse"),
        ("trials_beyond_cap", "x", None, "More than 50 trials were asked for, because: x"),
    ],
)
def test_caveats_stand_in_both_reports(
    tmp_path: Path, caveat: str, value: object, neutral: object, line: str
) -> None:
    with_it = write_search_reports(folder_of(tmp_path / "with", changed(**{caveat: value})))
    without = write_search_reports(folder_of(tmp_path / "without", changed(**{caveat: neutral})))
    for path, other in zip(with_it, without, strict=True):
        assert line in path.read_text(encoding="utf-8")
        assert line not in other.read_text(encoding="utf-8")


def test_a_grid_has_its_ranking_in_both_reports(tmp_path: Path) -> None:
    write_record(SearchFolder(tmp_path).sweep, SWEEP)
    paths = write_grid_reports(tmp_path)
    assert [path.name for path in paths] == ["sweep_summary.md", "report.html"]
    assert "| 1 | 3 | complete |" in paths[0].read_text(encoding="utf-8")
    assert Page(paths[1].read_text(encoding="utf-8")).faults == []
    assert grid_answer(SWEEP).startswith("The best of 2 cells has mean QWK 0.600, selected on")
    failed = SWEEP.model_copy(
        update={"cells": [SWEEP.cells[0].model_copy(update={"state": "failed"})]}
    )
    assert grid_answer(failed) == "No cell has the figures to be ranked by."


def test_there_is_nothing_to_draw_of_nothing() -> None:
    assert history([TRIALS[3]], "mean_qwk", None) is None
    assert importance({}) is None
    assert parallel([]) is None
    assert ends([]) == ""


def test_the_ends_of_the_coordinates_are_told_in_words() -> None:
    assert ends(TRIALS) == "learning_rate 0.01 to 0.03; features <drop3>"


def test_values_lie_as_declared_or_by_their_numbers_never_by_the_alphabet() -> None:
    rows = [
        trial(slot, 0.4, True).model_copy(update={"params": {"a": value, "b": slot}})
        for slot, value in enumerate(("strong", "weak", "medium"))
    ]
    assert "a weak, medium, strong;" in ends(rows, {"a": ("weak", "medium", "strong")})
    rows = [
        row.model_copy(update={"params": {"a": value, "b": 1}})
        for row, value in zip(rows, ("[10, 5]", "[9]", "None"), strict=True)
    ]
    assert ends(rows).startswith("a None, [9], [10, 5]")


def test_trials_are_listed_with_their_parameters() -> None:
    [table] = [
        one
        for one in search_tables(SEARCH, trials_record(TRIALS))
        if one.caption == "Trials of all"
    ]
    at = table.header.index("learning_rate")
    assert [row[at] for row in table.rows] == ["0.02", "0.03", "0.01", "0.04"]
