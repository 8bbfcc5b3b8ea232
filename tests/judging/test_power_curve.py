from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from essay_scoring.judging.plans import Check, GatePlan
from essay_scoring.judging.power_curve import (
    candidate_record,
    detectable,
    detectable_records,
    leading_check,
    rate_of,
)
from essay_scoring.judging.power_pairs import Simulated, SimulatedCandidate

EVEN = np.linspace(-1, 1, 101)


def checks(*kinds: str) -> GatePlan:
    thresholds = {"superiority": 0.01, "guardrail": -0.02}
    metrics = ("mean_qwk", "pooled_qwk")
    made = [
        Check.model_validate({"metric": m, "kind": kind, "delta_at_least": thresholds[kind]})
        for m, kind in zip(metrics, kinds, strict=False)
    ]
    fields = {"name": "trial", "question": "?", "scheme": "prompt_holdout", "rule": "point"}
    return GatePlan.model_validate({**fields, "checks": made})


def found(margins: list[list[float]]) -> Simulated:
    at = np.array(margins)
    passed = at >= 0
    results = tuple("pass" if row.all() else "fail" for row in passed)
    return Simulated(results, passed, at, at, at)  # type: ignore[arg-type]


def test_no_pass_in_ten_leaves_up_to_a_third() -> None:
    # 1 - 0.025 ** (1 / 10) = 0.3085: the largest rate at which ten failures are not too unlikely.
    rate = rate_of(0, 10)
    assert (rate.rate, rate.low) == (0, 0)
    assert rate.high == pytest.approx(0.3085, abs=1e-4)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_are_exact_binomial(pair: tuple[int, int]) -> None:
    rate = rate_of(*pair)
    exact = binomtest(*pair).proportion_ci(0.95, "exact")
    assert rate.low == pytest.approx(exact.low)
    assert rate.high == pytest.approx(exact.high)


def test_power_is_reached_where_four_in_five_margins_are_above_zero() -> None:
    # Margins from -1 to 1 by 0.02, raised by the true delta: of 101 the fifth part ends at the
    # 21st, -1 + 20 * 0.02 = -0.6, so that a delta of 0.6 lifts it to zero.
    power = detectable([0.0, 0.4, 0.9], [EVEN, EVEN + 0.4, EVEN + 0.9])
    assert power is not None
    assert power.delta == pytest.approx(0.6)
    assert power.low is not None
    assert power.high is not None
    assert power.low < 0.6 < power.high
    assert power.tried == 0.9


def test_the_order_of_candidates_does_not_matter() -> None:
    forth = detectable([0.0, 0.4, 0.9], [EVEN, EVEN + 0.4, EVEN + 0.9])
    back = detectable([0.9, 0.0, 0.4], [EVEN + 0.9, EVEN, EVEN + 0.4])
    assert forth == back


def test_what_is_never_reached_or_needs_nothing() -> None:
    never = detectable([0.0, 0.1], [EVEN, EVEN + 0.1])
    assert never is not None
    assert (never.delta, never.high, never.tried) == (None, None, 0.1)
    always = detectable([0.0, 0.1], [EVEN + 2, EVEN + 2.1])
    assert always is not None
    assert always.delta == 0


def test_a_figure_that_does_not_move_detects_nothing() -> None:
    assert detectable([0.0, 0.004], [EVEN, EVEN + 2]) is None


def test_invalid_evidence_counts_as_not_passed() -> None:
    margin = np.array([np.nan] * 3 + [1.0] * 7)
    power = detectable([0.0, 0.5], [margin, np.ones(10)])
    assert power is not None
    assert power.delta == 0.5


def test_the_leading_check_is_the_first_superiority_check() -> None:
    assert leading_check(checks("guardrail", "superiority")) == 1
    assert leading_check(checks("guardrail", "guardrail")) == 0


def test_a_plan_detects_no_sooner_than_the_slowest_of_its_checks() -> None:
    plan = checks("superiority", "guardrail")
    equal = SimulatedCandidate("equal", 0, 0, (0.0, 0.0))
    better = SimulatedCandidate("everywhere", 0.5, 0.9, (0.9, 1.8))
    pairs = [
        (equal, found([[value, value - 0.2] for value in EVEN])),
        (better, found([[value + 0.9, value + 0.7] for value in EVEN])),
    ]
    rows = detectable_records(plan, pairs)
    assert [(row.kind, row.metric) for row in rows] == [
        ("plan", "mean_qwk"),
        ("superiority", "mean_qwk"),
        ("guardrail", "pooled_qwk"),
    ]
    # The first check needs 0.6. The second starts 0.2 lower and needs 0.8 of the first one's delta,
    # which is what the plan is told in; in its own delta, twice as large, that is 1.6.
    assert [row.delta for row in rows] == [pytest.approx(value) for value in (0.8, 0.6, 1.6)]
    assert [row.check for row in rows] == [None, 0, 1]


def test_a_candidate_is_told_by_plan_and_by_check() -> None:
    plan = checks("superiority", "guardrail")
    candidate = SimulatedCandidate("everywhere", 0.5, 0.3, (0.1, 0.2))
    record = candidate_record(plan, candidate, found([[1, 1], [1, -1], [-1, -1], [3, 1]]))
    assert (record.passed, record.n, record.rate) == (2, 4, 0.5)
    assert record.results.model_dump() == {"pass": 2, "fail": 2, "inconclusive": 0, "invalid": 0}
    first, second = record.checks
    assert (first.passed, second.passed) == (3, 2)
    assert (first.true_delta, first.mean_delta) == (0.1, 1.0)
    # Deltas 1, 1, -1, 3 about their mean 1: (0 + 0 + 4 + 4) / 3.
    assert first.sd_delta == pytest.approx((8 / 3) ** 0.5)
