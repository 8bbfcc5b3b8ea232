"""Every number of docs/results.md is its artifact's."""

from __future__ import annotations

import math

import pytest

from essay_scoring.audits.constructs import CONSTRUCTS
from essay_scoring.features.linguistic import COMPANIONS
from tests.conftest import ROOT
from tests.docs.quoted import changed_digits, is_quoted, numbers_left
from tests.docs.results_invariance import arm_of
from tests.docs.results_pieces import RESULTS, artifact, one
from tests.docs.results_sections import FLAT, GRID, LESS_LUCK, NESTED, SECTIONS, found, mapping

PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
BY_HEADING = dict(part.split("\n", 1) for part in PAGE.removeprefix("# ").split("\n## "))


def test_every_section_is_checked() -> None:
    assert BY_HEADING.keys() == SECTIONS.keys()


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


def test_what_invariance_says_in_words_holds() -> None:
    """With the shortcut both methods gain more than seeds differ; without it none costs as much."""
    none = arm_of("none")
    for method in ("adversarial", "group_dro"):
        arm = arm_of(method)
        assert arm["gain"]["estimate"] > max(none["sd"], arm["sd"])
        assert arm_of(method, 0.0)["gain"]["estimate"] > 0
    assert arm_of("prompt_head", 0.0)["gain"]["estimate"] > 0
    dro = arm_of("group_dro")["gain"]
    assert dro["low"] < 0 < dro["high"]
    rows = artifact("invariance")["rows"]
    for arm in artifact("invariance")["arms"]:
        keys = {"shortcut": arm["shortcut"], "arm": arm["arm"]}
        mine = [row["correlation"] for row in rows if keys.items() <= row.items()]
        assert len(mine) == arm["n_seeds"] == 3
        assert math.isclose(arm["mean"], sum(mine) / 3)


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
