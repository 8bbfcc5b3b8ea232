"""The strict order: an arm runs only if the ones before it ended as the study says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import write_text
from essay_scoring.judging.study_outcomes import (
    after_tuning,
    decide,
    ending_of,
    why_not,
)
from essay_scoring.judging.study_plan import Candidate, Conditional, load_study
from essay_scoring.records.judgements import CheckResult, Gate
from essay_scoring.records.study_results import ArmEnding, Ending
from essay_scoring.records.workspace import Workspace
from tests.studies.made import (
    arm,
    endings,
    gate_file,
    gates,
    outcome_of,
    run_study,
    silent,
    study_file,
)

MISSED = 'runs_if = { b = ["fail", "unstable"] }'
ENDINGS: tuple[Ending, ...] = ("pass", "fail", "unstable", "invalid", "inconclusive", "not_run")


def ladder(folder: Path, first: str, second: str, third: str = "hard") -> Path:
    """The order of the contract: b only if a fails, c only if b is unstable or misses."""
    return study_file(
        folder,
        arm("a", gates(first)),
        arm("b", gates(second), 'runs_if = { a = ["fail"] }'),
        arm("c", gates(third), MISSED),
        arm("control", 'runs_if = { b = ["pass", "fail"] }', kind="context"),
    )


@pytest.mark.parametrize(
    ("gates_of", "ended", "outcome"),
    [
        (("easy", "hard"), ["pass", "not_run", "not_run"], "proceed"),
        (("hard", "easy"), ["fail", "pass", "not_run"], "proceed"),
        (("hard", "hard", "easy"), ["fail", "fail", "pass"], "proceed"),
        (("hard", "hard", "hard"), ["fail", "fail", "fail"], "defer"),
    ],
)
def test_each_arm_runs_only_if_its_condition_holds(
    tmp_path: Path,
    space: Workspace,
    gates_of: tuple[str, ...],
    ended: list[str],
    outcome: str,
) -> None:
    study = outcome_of(ladder(tmp_path, *gates_of), space)
    found = endings(study)
    assert [found[name] for name in "abc"] == ended
    assert study["outcome"] == outcome
    ran = {run["arm"] for run in study["runs"]} - {"reference"}
    expected = {name for name in "abc" if found[name] != "not_run"}
    assert ran == expected | ({"control"} if "b" in expected else set())
    for one in study["arms"]:
        if one["ending"] == "not_run":
            assert "ended as" in one["reason"]


def test_the_control_runs_between_the_arms_that_it_stands_between(
    tmp_path: Path, space: Workspace
) -> None:
    study = outcome_of(ladder(tmp_path, "hard", "hard"), space)
    assert [run["arm"] for run in study["runs"]] == ["reference", "a", "b", "control", "c"]


def test_an_undecided_arm_is_neither_a_pass_nor_a_miss(tmp_path: Path, space: Workspace) -> None:
    """Ridge against length: an interval of 48 essays in five prompts holds zero."""
    path = study_file(
        tmp_path,
        arm("a", gates("wide"), family="ridge"),
        arm("b", gates("hard"), 'runs_if = { a = ["fail", "pass"] }'),
    )
    gate_file(tmp_path, "wide", 0.0, rule="interval")
    study = outcome_of(path, space)
    assert endings(study) == {"a": "inconclusive", "b": "not_run"}
    assert study["outcome"] == "inconclusive"


def test_an_invalid_arm_stops_the_order(tmp_path: Path, space: Workspace) -> None:
    """Nothing runs past an arm without a valid result, even one without conditions."""
    path = study_file(
        tmp_path,
        arm("a", gates("strict")),
        arm("b", gates("hard")),
        arm("c", gates("hard"), 'runs_if = { b = ["fail"] }'),
    )
    gate_file(tmp_path, "strict", -2.0, rules="[evidence]\ndetached = true")
    study = outcome_of(path, space)
    assert endings(study) == {"a": "invalid", "b": "not_run", "c": "not_run"}
    assert "no valid result" in study["arms"][1]["reason"]
    assert study["outcome"] == "inconclusive"
    [attempt] = study["attempts"]
    assert attempt["run"] == study["gates"][0]["candidate_runs"][0]
    assert "detached" in attempt["reason"]
    assert {run["arm"] for run in study["runs"]} == {"reference", "a"}


def test_invalid_evidence_is_judged_again_and_stays_refused(
    tmp_path: Path, space: Workspace
) -> None:
    path = study_file(tmp_path, arm("a", gates("strict")))
    gate_file(tmp_path, "strict", -2.0, rules="[evidence]\ndetached = true")
    first = outcome_of(path, space)
    again = outcome_of(path, space)
    assert "refused since" in again["gates"][0]["reason"]
    assert again["attempts"] == first["attempts"]


def test_a_condition_may_accept_an_invalid_arm_in_so_many_words(
    tmp_path: Path, space: Workspace
) -> None:
    path = study_file(
        tmp_path,
        arm("a", gates("strict")),
        arm("b", gates("hard"), 'runs_if = { a = ["fail", "invalid"] }'),
    )
    gate_file(tmp_path, "strict", -2.0, rules="[evidence]\ndetached = true")
    study = outcome_of(path, space)
    assert endings(study) == {"a": "invalid", "b": "fail"}
    assert study["outcome"] == "inconclusive"


def test_a_study_whose_earlier_arm_has_no_result_stops(tmp_path: Path, space: Workspace) -> None:
    """What a caller got wrong stops the study, marks nothing, and is mended by running it again."""
    absent = ["scorer.family=transformer", "scorer.model_name=absent"]
    path = study_file(tmp_path, arm("a", gates("hard"), changed=absent), arm("b", gates("hard")))
    with pytest.raises(InputError):
        run_study(path, space, report=silent)
    assert not list(space.runs.glob("b-*"))
    assert not space.attempts.exists()
    assert not list(space.runs.glob("studies/*/study.json"))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ('runs_if = { c = ["fail"] }', "'b' runs if 'c', which is not an earlier candidate"),
        ('runs_if = { b = ["fail"] }', "'b' runs if 'b', which is not an earlier candidate"),
        ('runs_if = { reference = ["fail"] }', "not an earlier candidate"),
        ("runs_if = { a = [] }", "runs_if"),
        ('runs_if = { a = ["won"] }', "runs_if"),
    ],
)
def test_a_condition_names_an_earlier_arm_and_a_way_to_end(
    tmp_path: Path, condition: str, message: str
) -> None:
    path = study_file(
        tmp_path,
        arm("a", gates("hard")),
        arm("b", gates("hard"), condition),
        arm("c", gates("hard")),
    )
    with pytest.raises(InputError, match=message):
        load_study(path)


def candidate(**runs_if: tuple[str, ...]) -> Candidate:
    values = {"name": "x", "config": "x.toml", "gates": ("g.toml",), "runs_if": runs_if}
    return Candidate.model_validate(values)


@given(
    ended=st.lists(st.sampled_from(ENDINGS), min_size=1, max_size=4),
    allowed=st.sets(st.sampled_from(ENDINGS), min_size=1),
    stop=st.booleans(),
)
def test_no_candidate_ever_passes_over_an_invalid_one(
    ended: list[Ending], allowed: set[Ending], stop: bool
) -> None:
    before = {f"arm{place}": ending for place, ending in enumerate(ended)}
    last = f"arm{len(ended) - 1}"
    conditional = candidate(**{last: tuple(sorted(allowed))})
    if why_not(conditional, before, stop_after_pass=stop) is None:
        assert before[last] in allowed
        assert all(ending != "invalid" for name, ending in before.items() if name != last)
    if why_not(candidate(), before, stop_after_pass=stop) is None:
        assert "invalid" not in ended
        assert not (stop and "pass" in ended)


def test_a_context_arm_asks_its_own_conditions_alone() -> None:
    shown = Conditional(name="x", config="x.toml", runs_if={"b": ("fail",)})
    assert why_not(shown, {"a": "invalid", "b": "fail"}) is None
    assert why_not(shown, {"a": "fail", "b": "not_run"}) == "'b' ended as not run, not as fail"


@pytest.mark.parametrize(
    ("verdicts", "unstable", "ending"),
    [
        (["pass", "pass"], None, "pass"),
        (["pass", "fail"], None, "fail"),
        (["invalid", "fail"], None, "fail"),
        (["pass", "inconclusive"], None, "inconclusive"),
        (["invalid", "inconclusive"], None, "invalid"),
        (["pass", "pass"], "seeds differ", "unstable"),
        (["invalid", "pass"], "not finite", "unstable"),
        (["fail", "pass"], "seeds differ", "fail"),
    ],
)
def test_how_an_arm_ends(verdicts: list[str], unstable: str | None, ending: str) -> None:
    assert ending_of(verdicts, unstable) == ending


def ended_as(**arms: Ending) -> list[ArmEnding]:
    return [ArmEnding(arm=name, role="candidate", ending=ending) for name, ending in arms.items()]


def gate(arm: str, *, lead: float = 0.5, within_noise: bool = False) -> Gate:
    check = CheckResult(
        metric="mean_qwk",
        kind="guardrail",
        threshold=0.0,
        reference=0.4,
        candidate=lead,
        delta=lead - 0.4,
        low=None,
        high=None,
        n=9,
        share_at_least=None,
        result="passed",
        within_noise=within_noise,
    )
    return Gate(
        arm=arm,
        plan="p",
        plan_sha256="a" * 64,
        scheme="prompt_holdout",
        rule="point",
        verdict="pass",
        reason=None,
        checks=(check,),
    )


@pytest.mark.parametrize(
    ("arms", "outcome", "decided"),
    [
        (ended_as(a="pass"), "proceed", "a"),
        (ended_as(a="fail"), "defer", "ref"),
        (ended_as(a="fail", b="pass"), "proceed", "b"),
        (ended_as(a="invalid"), "inconclusive", "ref"),
        (ended_as(a="inconclusive"), "inconclusive", "ref"),
        (ended_as(a="unstable"), "inconclusive", "ref"),
        (ended_as(a="fail", b="inconclusive"), "inconclusive", "ref"),
        (ended_as(a="fail", b="not_run"), "defer", "ref"),
    ],
)
def test_decisions(arms: list[ArmEnding], outcome: str, decided: str) -> None:
    found = decide("ref", arms, [gate("a"), gate("b")])
    assert (found.outcome, found.arm) == (outcome, decided)


def test_a_pass_inside_the_noise_is_called_one() -> None:
    arms, sure, lucky = ended_as(a="pass"), gate("a"), gate("a", within_noise=True)
    assert "could as well" not in decide("ref", arms, [sure]).reason
    found = decide("ref", arms, [sure, lucky])
    assert "1 of 2 thresholds lie inside the 95% interval" in found.reason


@pytest.mark.parametrize(
    ("ending", "lead", "decided"),
    [("pass", 0.6, "a-tuned"), ("pass", 0.5, "a-tuned"), ("pass", 0.4, "a"), ("fail", 0.6, "a")],
)
def test_the_tuned_arm_is_decided_for_only_if_it_passes_and_is_no_worse(
    ending: Ending, lead: float, decided: str
) -> None:
    both = [gate("a"), gate("a-tuned", lead=lead)]
    found = decide("ref", ended_as(a="pass"), both)
    assert (
        after_tuning(found, ArmEnding(arm="a-tuned", role="tuned", ending=ending), both).arm
        == decided
    )
    assert after_tuning(found, None, both).arm == "a"


def test_a_reference_under_no_plan_is_refused_before_candidates(
    tmp_path: Path, space: Workspace
) -> None:
    path = study_file(tmp_path, arm("a", gates("other")))
    rules = 'reference = { scorer = { family = "ridge" } }'
    gate_file(tmp_path, "other", -2.0)
    text = (tmp_path / "other.toml").read_text(encoding="utf-8")
    write_text(tmp_path / "other.toml", text.replace("[[checks]]", f"{rules}\n[[checks]]"))
    with pytest.raises(EvidenceError, match="not the reference that the plan 'other' is about"):
        run_study(path, space, report=silent)
    assert not list(space.runs.glob("a-*"))
