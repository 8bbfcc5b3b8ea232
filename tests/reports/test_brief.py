"""What a decision-maker is told, from artifacts with known figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.records.audit_record import AuditSection, Figure
from essay_scoring.reports.brief import Answer, Asked, brief
from essay_scoring.statistics.summary import summarise
from tests.statistics.made import made_predictions, of_scores
from tests.studies.made_study import made_study

P = of_scores([1, 2, 3, 4, 5, 3], [3, 2, 3, 4, 3.5, 3.5], prompts=["a"] * 6)
HUMAN = Figure("human-human QWK", "", 0.8, 40)
MACHINE = Figure("human-machine QWK", "", 0.75, 40)
LOSS = Figure("degradation of QWK", "", 0.05, 40, 0.01, 0.09, 0.1, True)


def told(asked: Asked) -> dict[str, Answer]:
    return {one.question: one for one in brief(asked)}


def asked(*sections: AuditSection) -> Asked:
    summary = summarise(P, min_prompt_n=3, replicates=10)
    return Asked("r-1", summary, {}, P, sections)


def section(name: str, verdict: str, *figures: Figure) -> AuditSection:
    made = AuditSection(name, name.title(), "Found.", figures=figures)
    return replace(made, verdict=verdict)  # type: ignore[arg-type]


def test_agreement_is_told_in_essays_of_a_hundred() -> None:
    # Off by 2, 0, 0, 0, -1.5 and 0.5: three of six exact, four within a step of 0.5.
    text = told(asked())["How well does it score?"].text
    assert "Of 100 essays on prompts it never saw, 50 get the rater's own score and 67" in text


def test_the_worst_errors_are_named_by_id_on_both_sides() -> None:
    text = told(asked())["What do its worst errors look like?"].text
    assert "Essay e0 (prompt “a”) was scored too high: the raters gave 1, the scorer 3." in text
    assert "Essay e4 (prompt “a”) was scored too low: the raters gave 5, the scorer 3.5." in text
    right = replace(P, final=P.true)
    assert not [
        one for one in brief(replace(asked(), predictions=right)) if "worst" in one.question
    ]


def test_the_ends_of_the_scale_are_told_with_their_direction() -> None:
    # Low tail (1, 2): off by 2 and 0; high tail (4, 5): 0 and -1.5.
    text = told(asked())["For whom does it fail?"].text
    assert "weak essays are scored 1.00 points too high" in text
    assert "strong essays are scored 0.75 points too low" in text


@pytest.mark.parametrize(
    ("verdicts", "verdict", "words"),
    [
        ((), "undecided", "it was not audited (essay-scoring audit RUNS/r-1)"),
        (("pass", "info"), "pass", "keeps all 1 limits"),
        (("pass", "undecided"), "undecided", "fails no check of its audit"),
        (("undecided", "fail", "info"), "fail", "It fails 1 of 2 checks of its audit: S1."),
    ],
)
def test_whether_to_use_it_follows_the_worst_verdict(
    verdicts: tuple[str, ...], verdict: str, words: str
) -> None:
    sections = [section(f"s{at}", one) for at, one in enumerate(verdicts)]
    found = told(asked(*sections))["Should it be used?"]
    assert found.verdict == verdict
    assert words in found.text


def test_a_second_rater_stands_beside_it_where_there_is_one() -> None:
    question = "And beside a second human rater?"
    with_rater = section("ceilings", "pass", HUMAN, MACHINE, LOSS)
    text = told(asked(with_rater))[question].text
    assert "Two people agree with each other at a QWK of 0.800" in text
    assert "0.050 less, with 95% certainty between 0.010 and 0.090 (within what is" in text
    assert "How far people agree" in told(asked(section("ceilings", "info")))[question].text
    assert "essay-scoring audit RUNS/r-1" in told(asked())[question].text


def test_groups_are_counted_by_how_sure_a_gap_is() -> None:
    figures = [
        Figure("SMD", "g: a", 0.3, 90, 0.2, 0.4, 0.1, False),
        Figure("SMD", "g: b", -0.05, 90, -0.2, 0.1, 0.1, None),
        Figure("SMD", "g: c", 0.0, 90, -0.01, 0.01, 0.1, True),
    ]
    text = told(asked(section("subgroups", "fail", *figures)))["For whom does it fail?"].text
    assert "Of 3 groups of writers, 1 certainly get other scores" in text
    assert "of 1 these essays cannot tell; the widest gap is g: a, who get 0.30" in text


def test_a_decision_is_told_with_how_sure_it_is(tmp_path: Path) -> None:
    study = made_study(tmp_path)
    text = told(replace(asked(), study=study))["What was decided, and how sure is that?"].text
    assert text.startswith(study.reason.split("'")[0][:10])
    assert "How sure" in text


def test_scales_that_differ_are_compared_on_the_common_one() -> None:
    from tests.statistics.made import MIXED

    p = made_predictions(60, n_prompts=4, scales=MIXED)
    off = p.scales.to_training(p.final, p.prompts) - p.scales.to_training(p.true, p.prompts)
    text = told(replace(asked(), predictions=p))["What do its worst errors look like?"].text
    assert f"Essay {p.ids[int(np.argmax(off))]} " in text
