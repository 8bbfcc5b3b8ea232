from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.scale import FloatArray
from essay_scoring.judging.gates import judge
from essay_scoring.judging.plans import Check, GatePlan, load_plan
from essay_scoring.statistics.comparison import Comparison, Delta, compare
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import made_predictions, rescored

GATES = Path(__file__).parents[2] / "configs" / "gates"
PRIMARY = load_plan(GATES / "prompt_holdout_primary.toml")
BASE = compare(made_predictions(), made_predictions(), replicates=5)


def plan(rule: str, kind: str, threshold: float) -> GatePlan:
    check = Check.model_validate({"metric": "mean_qwk", "kind": kind, "delta_at_least": threshold})
    fields = {"name": "trial", "question": "?", "scheme": "prompt_holdout", "rule": rule}
    return GatePlan.model_validate(fields | {"checks": (check,)})


def with_delta(
    estimate: float | None, low: float | None = None, high: float | None = None
) -> Comparison:
    reach = 0.0 if low is None or high is None else (high - low) / 2
    delta = Delta(
        metric="mean_qwk",
        reference=0.5,
        candidate=0.5,
        estimate=estimate,
        low=low,
        high=high,
        n=9,
        seeds={},
        prompts=1e9,
        swapped=reach * np.linspace(-1, 1, 5),
    )
    return with_deltas(BASE, delta)


def with_deltas(comparison: Comparison, *changed: Delta) -> Comparison:
    """Return a comparison with these deltas in place of those of the same figures."""
    deltas = comparison.deltas | {delta.metric: delta for delta in changed}
    return comparison.model_copy(update={"rows": tuple(deltas.values())})


@pytest.mark.parametrize(
    ("estimate", "outcome"),
    [(0.0100, "pass"), (0.70 - 0.69, "pass"), (0.0099999, "fail"), (0.5, "pass"), (-1.0, "fail")],
)
def test_the_point_rule_reads_the_estimate_alone(estimate: float, outcome: str) -> None:
    found = judge(plan("point", "superiority", 0.010), with_delta(estimate, -9, 9))
    assert found.outcome == outcome


@pytest.mark.parametrize(
    ("kind", "threshold", "low", "high", "outcome"),
    [
        ("superiority", 0.0, 0.001, 0.02, "pass"),
        ("superiority", 0.0, -0.001, 0.02, "inconclusive"),
        ("superiority", 0.0, -0.02, -0.001, "fail"),
        ("superiority", 0.0, 0.0, 0.0, "fail"),
        ("superiority", 0.01, 0.005, 0.02, "inconclusive"),
        ("guardrail", -0.02, -0.019, 0.0, "pass"),
        ("guardrail", -0.02, -0.021, 0.0, "inconclusive"),
        ("guardrail", -0.02, -0.05, -0.021, "fail"),
        ("guardrail", 0.0, 0.0, 0.0, "pass"),
    ],
)
def test_the_interval_rule_reads_the_interval(
    kind: str, threshold: float, low: float, high: float, outcome: str
) -> None:
    found = judge(plan("interval", kind, threshold), with_delta((low + high) / 2, low, high))
    assert found.outcome == outcome


def test_an_estimate_above_its_threshold_does_not_pass_by_interval() -> None:
    comparison = with_delta(0.03, -0.04, 0.10)
    assert judge(plan("point", "superiority", 0.01), comparison).outcome == "pass"
    assert judge(plan("interval", "superiority", 0.01), comparison).outcome == "inconclusive"


@pytest.mark.parametrize("rule", ["point", "interval"])
def test_a_missing_delta_is_invalid_evidence(rule: str) -> None:
    with pytest.raises(EvidenceError, match="mean_qwk has no value") as caught:
        judge(plan(rule, "guardrail", -1.0), with_delta(None))
    assert caught.value.exit_code == 4


def test_a_missing_interval_is_invalid_evidence_by_interval_only() -> None:
    comparison = with_delta(0.5)
    assert judge(plan("point", "superiority", 0.1), comparison).outcome == "pass"
    with pytest.raises(EvidenceError, match="mean_qwk has no interval"):
        judge(plan("interval", "superiority", 0.1), comparison)


def test_a_corpus_without_large_prompts_cannot_pass_the_primary_gate() -> None:
    run = made_predictions(100)
    comparison = compare(run, rescored(run, seed=1, noise=0.01), replicates=0)
    assert comparison.deltas["worst_prompt_qwk"].estimate is None
    with pytest.raises(EvidenceError, match="worst_prompt_qwk has no value"):
        judge(PRIMARY, comparison)


def test_slices_other_than_the_plans_are_refused() -> None:
    run = made_predictions()
    comparison = compare(run, run, min_prompt_n=20, replicates=0)
    with pytest.raises(EvidenceError, match=r"min_prompt_n 20 .* asks for 30"):
        judge(PRIMARY, comparison)


def test_one_failed_check_outweighs_passed_and_undecided_ones() -> None:
    better = with_delta(0.5, 0.4, 0.6)
    names = ("pooled_qwk", "bottom_k_mean")
    worse = with_deltas(
        better,
        *(
            better.deltas["mean_qwk"].model_copy(
                update={"metric": name, "estimate": -0.1, "low": low, "high": high}
            )
            for name, low, high in zip(names, (-0.2, -0.2), (0.1, -0.05), strict=True)
        ),
    )
    both = GatePlan.model_validate(
        plan("interval", "superiority", 0.0).model_dump()
        | {
            "checks": [
                {"metric": name, "kind": "guardrail", "delta_at_least": -0.01}
                for name in ("mean_qwk", *names)
            ]
        }
    )
    found = judge(both, worse)
    assert [f.result for f in found.findings] == ["passed", "undecided", "failed"]
    assert found.outcome == "fail"


def test_a_verdict_says_what_it_stands_on() -> None:
    trial = plan("point", "superiority", 0.010)
    found = judge(trial, with_delta(0.02, -0.01, 0.05)).model_dump(mode="json")
    json.dumps(found, allow_nan=False)
    assert (found["plan"], found["plan_sha256"], found["rule"]) == ("trial", trial.sha256, "point")
    assert (found["outcome"], found["decision"]) == ("pass", "proceed")
    assert found["findings"] == [
        {
            "metric": "mean_qwk",
            "kind": "superiority",
            "threshold": 0.01,
            "reference": 0.5,
            "candidate": 0.5,
            "delta": 0.02,
            "low": -0.01,
            "high": 0.05,
            "n": 9,
            # Of the resamples -0.01, 0.005, 0.02, 0.035, 0.05, three reach 0.01.
            "share_at_least": 0.6,
            "result": "passed",
            "within_noise": True,
        }
    ]


def quadratic_kappa(true: FloatArray, final: FloatArray) -> float:
    """One minus the squared error over that of every rating paired with every other (Cohen)."""
    return 1 - float(np.mean((true - final) ** 2) / np.mean((true[:, None] - final[None, :]) ** 2))


def figures(run: Predictions) -> tuple[float, float, float, float]:
    """Return worst prompt of at least 30 essays, mean over folds, low tail, high tail."""
    prompts = np.array(run.prompts)
    large = [p for p in np.unique(prompts) if (prompts == p).sum() >= 30]
    worst = min(quadratic_kappa(run.true[prompts == p], run.final[prompts == p]) for p in large)
    folds = [
        quadratic_kappa(run.true[run.folds == f], run.final[run.folds == f])
        for f in np.unique(run.folds)
    ]
    adjacent = np.abs(run.final - run.true) <= 0.5
    low, high = adjacent[run.true <= 2.0].mean(), adjacent[run.true >= 4.0].mean()
    return worst, sum(folds) / len(folds), float(low), float(high)


THRESHOLDS = {
    "prompt_holdout_primary": (0.010, -0.003, -0.010, -0.010),
    "stratified_stability": (None, -0.005, None, None),
}
"""The contract, in the order of `figures`: the delta that each must reach."""


@pytest.mark.parametrize("name", THRESHOLDS)
@pytest.mark.parametrize("n", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_contract_gate_is_a_straight_reading_of_its_thresholds(name: str, n: int) -> None:
    gate, nested = load_plan(GATES / f"{name}.toml"), name == "prompt_holdout_primary"
    outcomes = []
    for seed in range(n):
        reference = made_predictions(150, n_prompts=4, n_folds=2, seed=seed, nested=nested)
        candidate = rescored(reference, seed=seed, noise=0.45)
        deltas = np.subtract(figures(candidate), figures(reference))
        expected = all(
            delta >= threshold - 1e-12
            for delta, threshold in zip(deltas, THRESHOLDS[name], strict=True)
            if threshold is not None
        )
        comparison = compare(reference, candidate, min_prompt_n=30, bottom_k=5, replicates=0)
        assert (judge(gate, comparison).outcome == "pass") == expected, seed
        outcomes.append(expected)
    assert n / 10 < sum(outcomes) < 9 * n / 10
