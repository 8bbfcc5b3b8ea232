"""What plans do with scorers whose true difference is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from essay_scoring.judging.plans import GatePlan, load_plan
from essay_scoring.judging.power_curve import rate_of
from essay_scoring.judging.power_pairs import (
    GAINS,
    Condition,
    Setting,
    Simulated,
    Task,
    Truth,
    equal_to_reference,
    simulate,
    tasks_of,
)
from essay_scoring.records.power_results import Rate
from essay_scoring.statistics.comparison import Metric
from essay_scoring.statistics.power_population import fit_population
from essay_scoring.statistics.simulation import Likeness
from tests.statistics.made import made_predictions, of_scores

GATES = Path(__file__).parents[2] / "configs" / "gates"
RUN = made_predictions(1500, n_prompts=24, n_folds=5, noise=0.75, seed=3, rated_twice=0.5)
POPULATION = fit_population(RUN)


def setting(plan: GatePlan, **changes: Any) -> Setting:
    return Setting.of(plan, POPULATION, RUN, Condition("trial", Likeness(0.8), **changes))


def trial_plan(rule: str, *checks: tuple[str, str, float]) -> GatePlan:
    fields = {"name": "trial", "question": "?", "scheme": "prompt_holdout", "rule": rule}
    keys = ("metric", "kind", "delta_at_least")
    rows = [dict(zip(keys, check, strict=True)) for check in checks]
    return GatePlan.model_validate({**fields, "checks": rows})


def equal_pairs(plan: GatePlan, n: int) -> Simulated:
    tasks = tasks_of(setting(plan), equal_to_reference(plan), n)
    return Simulated.joined([simulate(task) for task in tasks])


def passes(plan: GatePlan, n: int) -> Rate:
    return rate_of(equal_pairs(plan, n).results.count("pass"), n)


def test_the_published_point_rule_passes_equal_scorers_far_too_often() -> None:
    plan = load_plan(GATES / "prompt_holdout_primary.toml")
    assert passes(plan, 200).low > 0.05


def test_the_interval_rule_does_not() -> None:
    plan = load_plan(GATES / "prompt_holdout_interval.toml")
    assert passes(plan, 40).low <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prompt_holdout_interval", "g3_local"])
def test_interval_plans_proceed_with_equal_scorers_at_most_one_time_in_twenty(name: str) -> None:
    plan = load_plan(GATES / f"{name}.toml")
    found = equal_pairs(plan, 200)
    assert rate_of(found.results.count("pass"), 200).low <= 0.05
    # Its superiority check alone keeps that promise, whatever the guardrails add.
    [lead] = [i for i, check in enumerate(plan.checks) if check.kind == "superiority"]
    assert rate_of(int(found.passed[:, lead].sum()), 200).low <= 0.05


def test_no_figure_that_a_plan_may_check_favours_either_of_two_equals() -> None:
    plan = trial_plan("point", *((metric, "guardrail", 0.0) for metric in get_args(Metric)))
    found = equal_pairs(plan, 100)
    error = found.deltas.std(axis=0) / np.sqrt(100)
    assert (abs(found.deltas.mean(axis=0)) < 3.5 * error).all()


@pytest.mark.parametrize("where", GAINS)
def test_candidates_have_the_true_gain_asked_for(where: Any) -> None:
    plan = load_plan(GATES / "prompt_holdout_primary.toml")
    first, second = Truth(setting(plan)).candidates(where, (0.04, 0.08))
    assert first.gain == pytest.approx(0.04, abs=2e-3)
    assert second.gain == pytest.approx(0.08, abs=2e-3)
    assert 0 < first.share < second.share < 1
    assert all(delta >= -1e-9 for delta in first.deltas)


def test_a_true_gain_everywhere_is_what_simulations_find_on_average() -> None:
    metrics = ("pooled_qwk", "mean_qwk", "continuous_qwk", "prmse")
    plan = trial_plan("point", *((metric, "guardrail", 0.0) for metric in metrics))
    here = setting(plan)
    [candidate] = Truth(here).candidates("everywhere", (0.05,))
    found = simulate(Task(here, candidate, 0, 80))
    error = found.deltas.std(axis=0) / np.sqrt(80)
    assert (abs(found.deltas.mean(axis=0) - candidate.deltas) < 3.5 * error).all()


def test_a_gain_out_of_reach_becomes_the_largest_there_is() -> None:
    plan = load_plan(GATES / "prompt_holdout_primary.toml")
    [candidate] = Truth(setting(plan)).candidates("low_tail", (0.9,))
    assert candidate.share == pytest.approx(1)
    assert 0 < candidate.gain < 0.9


def test_a_simulation_depends_on_its_number_alone() -> None:
    plan = load_plan(GATES / "prompt_holdout_primary.toml")
    here, equal = setting(plan), equal_to_reference(plan)
    whole = simulate(Task(here, equal, 0, 5))
    parts = Simulated.joined([simulate(Task(here, equal, 0, 2)), simulate(Task(here, equal, 2, 5))])
    assert whole.results == parts.results
    assert (whole.margins == parts.margins).all()
    assert len(np.unique(whole.deltas[:, 1])) == 5


def test_margins_say_what_the_gate_decided() -> None:
    for rule in ("point", "interval"):
        plan = trial_plan(
            rule, ("mean_qwk", "superiority", 0.01), ("low_tail_adjacent", "guardrail", -0.03)
        )
        here = setting(plan)
        [candidate] = Truth(here).candidates("everywhere", (0.02,))
        found = simulate(Task(here, candidate, 0, 16))
        assert (found.passed == (found.margins >= 0)).all()
        wanted = ["pass" if all(row) else "other" for row in found.passed]
        assert [r if r == "pass" else "other" for r in found.results] == wanted
        assert 0 < found.passed.mean() < 1


def test_more_essays_make_more_prompts_large_and_sizes_are_the_design() -> None:
    plan = trial_plan("point", ("mean_qwk", "guardrail", 0.0))
    small = plan.model_copy(update={"min_prompt_n": 70})
    now, more = setting(small), setting(small, essays=2)
    assert now.large.sum() < more.large.sum() == 24
    assert setting(small, prompts=2).large.sum() == 2 * now.large.sum()


def test_a_slice_that_came_out_empty_is_neither_pass_nor_fail() -> None:
    true = [3.0] * 40 + [2.0]
    run = of_scores(true, [3.0] * 41, prompts=["a", "b"] * 20 + ["a"])
    plan = trial_plan("point", ("low_tail_adjacent", "guardrail", -1.0))
    here = Setting.of(plan, fit_population(run), run, Condition("few", Likeness(0.5)))
    found = simulate(Task(here, equal_to_reference(plan), 0, 40))
    empty = np.array([result == "invalid" for result in found.results])
    assert 0 < empty.sum() < 40
    assert np.isnan(found.margins[empty]).all()
    assert not found.passed[empty].any()
    assert found.passed[~empty].all()
