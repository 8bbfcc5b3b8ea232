from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from essay_scoring import EssayScoringError, ScoreComparison, compare
from essay_scoring.api.plan_presets import plan_of, preset_names
from essay_scoring.core.errors import ArgumentError, EvidenceError
from essay_scoring.judging.plans import GatePlan
from essay_scoring.statistics import comparison as paired
from essay_scoring.statistics.predictions import Predictions
from tests.conftest import ROOT
from tests.statistics.made import HALVES, made_predictions, rescored

REFERENCE = made_predictions(400)
CANDIDATE = rescored(REFERENCE, seed=1, noise=0.1)
SCALE = (1, 5, 0.5)
TRUE = REFERENCE.true


def compared(**changed: object) -> ScoreComparison:
    given: dict[str, object] = {
        "true": TRUE,
        "reference": REFERENCE.final,
        "candidate": CANDIDATE.final,
        "prompts": REFERENCE.prompts,
        "folds": REFERENCE.folds,
        "scale": SCALE,
        "replicates": 200,
    }
    return compare(**(given | changed))  # type: ignore[arg-type]


def labels_alone(run: Predictions) -> Predictions:
    """Return a run of which no prediction is known but its labels, as arrays of labels say."""
    return replace(run, raw=run.final)


def test_labels_are_compared_as_runs_are() -> None:
    comparison = compared()
    assert comparison.mapping == "as_given"
    runs = map(labels_alone, (REFERENCE, CANDIDATE))
    assert comparison.comparison == paired.compare(*runs, replicates=200)
    deltas = comparison.deltas.to_pylist()
    by_name = {row["metric"]: row for row in deltas}
    assert list(by_name) == [name for name in paired.DELTAS if name != "prmse"]
    assert by_name["mean_qwk"]["low"] > 0
    assert by_name["mean_qwk"]["n"] == 400


def test_other_predictions_are_mapped_by_the_other_folds() -> None:
    comparison = compared(reference=REFERENCE.raw, candidate=CANDIDATE.raw)
    assert comparison.mapping == "qwk_cutpoints_lfo"
    [first] = comparison.reference
    assert HALVES.shared is not None
    assert HALVES.shared.holds(first.final).all()
    assert first.refit
    assert not np.array_equal(first.final, REFERENCE.final)
    assert compared(reference=REFERENCE.raw, folds=None).mapping == "round_half_band"


def test_an_arm_may_have_several_seeds() -> None:
    other = rescored(REFERENCE, seed=2, noise=0.1)
    comparison = compared(candidate=np.stack([CANDIDATE.final, other.final]))
    reference, *seeds = map(labels_alone, (REFERENCE, CANDIDATE, other))
    expected = paired.compare(reference, seeds, replicates=200)
    assert comparison.comparison == expected


def test_a_plan_judges_as_it_judges_runs() -> None:
    verdict = compared().judge("prompt_holdout_interval")
    plan = plan_of(ROOT / "configs" / "gates" / "prompt_holdout_interval.toml")
    assert (verdict.outcome, verdict.decision) == ("pass", "proceed")
    assert verdict.checks.column("metric").to_pylist() == [check.metric for check in plan.checks]
    assert verdict.verdict.plan_sha256 == plan.sha256
    found = {row.metric: row for row in verdict.verdict.findings}
    assert found["mean_qwk"].low == compared(replicates=2000).judge(plan).verdict.findings[1].low
    again = compared(candidate=REFERENCE.final).judge(plan)
    assert again.outcome != "pass"


def test_presets_are_the_plans_of_the_same_names() -> None:
    assert preset_names() == [
        "prompt_holdout_interval",
        "prompt_holdout_primary",
        "stratified_stability",
    ]
    for name in preset_names():
        assert plan_of(name) == plan_of(ROOT / "configs" / "gates" / f"{name}.toml")


def test_what_arrays_do_not_show_is_not_judged() -> None:
    with pytest.raises(EvidenceError, match="there is a single fold"):
        compared(folds=None).judge("prompt_holdout_primary")
    divided = compared(folds=np.arange(400) % 4)
    with pytest.raises(EvidenceError, match="the folds of 8 of 8 prompts do not"):
        divided.judge("prompt_holdout_primary")
    assert divided.judge("stratified_stability").outcome == "pass"
    true_scores = {"metric": "prmse", "kind": "guardrail", "delta_at_least": 0.0}
    plan = plan_of("stratified_stability").model_dump() | {"checks": [true_scores]}
    with pytest.raises(EvidenceError, match="prmse needs essays with a second rating"):
        compared().judge(GatePlan.model_validate(plan))
    plan = plan_of("stratified_stability").model_dump() | {"reference": {"seed": 1}}
    with pytest.raises(EvidenceError, match="one reference's config"):
        compared().judge(GatePlan.model_validate(plan))


def test_a_notebook_shows_it_with_hostile_names_escaped() -> None:
    verdict = compared().judge("stratified_stability")
    page = compared()._repr_html_()
    assert "<caption>Candidate minus reference</caption>" in page
    assert page.count("<tr>") == len(paired.DELTAS)  # a header, and all but PRMSE
    assert "400 essays, 8 prompts, 4 folds" in page
    assert "pass: proceed." in verdict._repr_html_()


MISUSES: dict[str, Callable[[], object]] = {
    "compare: 399 predictions of the candidate for 400 essays": lambda: compared(
        candidate=CANDIDATE.final[1:]
    ),
    "compare: 1 prompts for 400 essays": lambda: compared(prompts=["p"]),
    "compare, true: 400 of 400 are NaN": lambda: compared(true=np.full(400, np.nan)),
    "compare, reference: some are not numbers": lambda: compared(reference=["a"] * 400),
    "compare, true: 4 of 4": lambda: compare([7, 7, 7, 7], [1] * 4, [1] * 4, scale=(1, 5)),
    "compare, scale: (1,) is no score scale": lambda: compared(scale=(1,)),
    "(1, 5, 0.7) is no score scale: high - low": lambda: compared(scale=(1, 5, 0.7)),
    "has no score scale. To mend: give every essay its prompt": lambda: compared(
        scale={"other": (1, 5, 0.5)}
    ),
    "compare, folds: a fold is no whole number": lambda: compared(folds=np.full(400, 0.5)),
    "plan: 'strict' is neither a file nor a preset": lambda: compared().judge("strict"),
    "compare, predictions: 400 of 400 are off the scale": lambda: compared(
        candidate=np.full(400, 9.0), mapping="as_given"
    ),
}


@pytest.mark.parametrize("message", MISUSES)
def test_misuse_is_one_line_that_says_how_to_mend_it(message: str) -> None:
    with pytest.raises(ArgumentError, match="To mend: ") as caught:
        MISUSES[message]()
    assert isinstance(caught.value, EssayScoringError)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
