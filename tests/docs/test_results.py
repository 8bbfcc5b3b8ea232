"""Every number of docs/results.md is its artifact's."""

from __future__ import annotations

import re

import pytest

from essay_scoring.audits.constructs import CONSTRUCTS
from essay_scoring.features.linguistic import COMPANIONS
from essay_scoring.reports.cells import number, with_interval
from tests.conftest import ROOT
from tests.docs.quoted import changed_digits, is_quoted, numbers_left
from tests.docs.results_pieces import RESULTS, arms, artifact, one
from tests.docs.results_sections import FLAT, GRID, LESS_LUCK, NESTED, SECTIONS, found, mapping

PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
BY_HEADING = dict(part.split("\n", 1) for part in PAGE.removeprefix("# ").split("\n## "))


def lift_tables() -> list[str]:
    study = artifact("lift_ellipse.study")
    lines = []
    gates = [gate for gate in study["gates"] if gate["plan"] == "lift"]
    for gate in gates:
        check = one(gate["checks"], metric="pooled_qwk")
        delta = with_interval({**check, "estimate": check["delta"]}, sign=True)
        lines.append(rf"\| {gate['arm']} \| .* \| {re.escape(delta)} \| {gate['verdict']} \|")
    assert len(lines) == 9
    return [re.escape(arms(study, "prompt_holdout")), *lines]


def g3_tables() -> list[str]:
    lines = []
    for row in artifact("g3_local")["rows"]:
        mean = f"{number(row['mean_qwk'])} ± {number(row['mean_qwk_std'])}"
        figures = [number(row[key]) for key in ("worst_prompt", "bottom_k_mean", "mae")]
        probe = row["probe"]
        told = f"{number(probe['learnt'])} ({number(probe['frozen'])})" if probe else ""
        cells = [row["arm"], mean, with_interval(row["pooled_qwk"]), *figures, told]
        lines.append(re.escape(f"| {' | '.join(cells)} | {row['fit_minutes']:.1f} |"))
    return lines


REPLACED = {
    "What lifts agreement on unseen prompts": lift_tables,
    "G3: fine-tuned encoders, so far": g3_tables,
}
"""Sections of which only tables and rows are checked, as patterns, by heading."""


def test_every_section_is_checked() -> None:
    assert BY_HEADING.keys() == SECTIONS.keys() | REPLACED.keys()


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_number_is_the_artifacts(heading: str) -> None:
    pieces, words = SECTIONS[heading]()
    assert not numbers_left(BY_HEADING[heading], pieces, words)


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_changed_digit_is_found(heading: str) -> None:
    pieces, words = SECTIONS[heading]()
    changed = changed_digits(BY_HEADING[heading])
    assert changed
    for text in changed:
        assert not is_quoted(text, pieces, words)


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_number_that_is_added_is_found(heading: str) -> None:
    pieces, words = SECTIONS[heading]()
    assert numbers_left(f"{BY_HEADING[heading]}\nBut for 3 of 40.", pieces, words) == ["3", "40"]


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_table_is_whole(heading: str) -> None:
    """No line of a table lies outside those made again, even one without a number."""
    made = {line for piece in SECTIONS[heading]()[0] for line in piece.splitlines()}
    lines = [line for line in BY_HEADING[heading].splitlines() if line.startswith("|")]
    assert set(lines) <= made


@pytest.mark.parametrize("heading", REPLACED)
def test_tables_of_what_is_replaced(heading: str) -> None:
    for pattern in REPLACED[heading]():
        assert re.search(rf"^{pattern}$", BY_HEADING[heading], re.MULTILINE), pattern


def test_all_are_of_the_same_essays() -> None:
    studies = [artifact(path.stem)["data"] for path in RESULTS.glob("*.study.json")]
    audits = [artifact(f"reference.{name}")["run"] for name in ("audit", "explain")]
    more = [artifact(name) for name in ("ellipse.prepared", "attention_kernel")]
    assert len({row["data_sha256"] for row in [*studies, *audits, *more]}) == 1


def test_what_g1_says_in_words_holds() -> None:
    """Four of five thresholds inside the noise; 0.01 a seventh of the deviation between equals."""
    gates = artifact("g1_ellipse.study")["gates"]
    inside = [check["within_noise"] for gate in gates for check in gate["checks"]]
    assert (sum(inside), len(inside)) == (4, 5)
    [gate] = [gate for gate in artifact("thresholds")["gates"] if "g1" in gate["plans"]]
    check = one(one(gate["conditions"], name="as it is")["checks"], metric="worst_prompt_qwk")
    assert round(check["noise"]["sd"] / check["delta_at_least"]) == 7
    assert artifact("g1_interval")["candidates"] == gates[0]["candidate_runs"]


def test_what_the_audits_say_in_words_holds() -> None:
    """Half of what moves a score are three columns; three attacks go unnoticed."""
    assert len(set(CONSTRUCTS["mechanics"]) - set(COMPANIONS)) == 3
    sections = [
        x for name in ("audit", "explain") for x in artifact(f"reference.{name}")["sections"]
    ]
    moved = one(sections, name="shap_by_construct")["figures"]
    parts = {figure["group"]: figure["estimate"] for figure in moved}
    assert 0.45 < parts["mechanics"] / sum(parts.values()) < 0.55
    attacks = one(sections, name="adversarial")["figures"]
    for attack in ("essay of another prompt", "shuffled sentences", "removed half"):
        assert not one(attacks, name="over-stability rate", group=attack)["passes"]


def test_what_the_mappings_say_in_words_holds() -> None:
    """MAE is an eighth higher with cut-points: 0.383 / 0.341 = 1.124."""
    names = ("training.mapping=qwk_cutpoints_lfo", "training.mapping=round_half_band")
    fitted, rounded = (mapping(name)["mae"]["estimate"] for name in names)
    assert round(1 / (fitted / rounded - 1)) == 8


def test_what_the_searches_say_in_words_holds() -> None:
    """All five inner searches chose the length-robust columns; the grid's best is luck."""
    flat, nested = (one(artifact("searches")["searches"], search=x) for x in (FLAT, NESTED))
    inner = [nested["columns"][f"outer-{fold}"] for fold in range(5)]
    assert {*inner, flat["columns"]["all"]} == {"robust"}
    assert len(nested["columns"]) == len([*inner, "all"])
    [least, reference] = [
        found(*row)["worst_prompt_qwk"] for row in ((GRID, LESS_LUCK), (FLAT, "reference"))
    ]
    assert least < reference


def test_the_companions_are_those_there_are() -> None:
    """Eight, one at a time and all of them."""
    rows = artifact("companions")["rows"]
    assert [row["companion"] for row in rows] == [*COMPANIONS, "all of them"]
    assert len(COMPANIONS) == 8
