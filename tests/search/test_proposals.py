from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from essay_scoring.records.search_settings import SearchSettings
from essay_scoring.search.proposals import SamplerTrial, importances, propose
from tests.search.made import small_search


@pytest.fixture(scope="module")
def distributions() -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return {"x": FloatDistribution(0.0, 1.0), "y": CategoricalDistribution(["a", "b"])}


def asked(**changes: Any) -> SearchSettings:
    """Return settings of a sampler."""
    return small_search().settings.model_copy(update={"startup_trials": 5, **changes})


def history(n: int = 12) -> list[SamplerTrial]:
    """Return trials that are better the nearer x is to 0.3."""
    values = [(7 * i % n) / n for i in range(n)]
    return [
        SamplerTrial({"x": x, "y": "ab"[i % 2]}, "complete", (1 - abs(x - 0.3), x))
        for i, x in enumerate(values)
    ]


def test_a_proposal_depends_on_the_trials_and_the_seed_alone(
    distributions: dict[str, Any],
) -> None:
    first = propose(history(), distributions, asked(), 1)
    assert propose(history(), distributions, asked(), 1) == first
    assert propose(history(), distributions, asked(), 2) != first


def test_only_the_order_of_the_trials_matters(distributions: dict[str, Any]) -> None:
    """TPE sees ranks: squeezing all figures into one part in 1e12 changes no proposal."""
    plain = history()
    squeezed = [
        replace(one, key=(0.5, 0.5 + 1e-12 * one.key[0])) for one in plain if one.key is not None
    ]
    for seed in range(5):
        found = propose(plain, distributions, asked(), seed)
        assert propose(squeezed, distributions, asked(), seed) == found


def test_tpe_looks_where_it_was_good_and_random_does_not(distributions: dict[str, Any]) -> None:
    def distance(**changes: Any) -> float:
        found = [propose(history(), distributions, asked(**changes), seed) for seed in range(30)]
        return float(sum(abs(one["x"] - 0.3) for one in found) / len(found))

    # Uniform on [0, 1]: E|x - 0.3| = (0.3^2 + 0.7^2) / 2 = 0.29.
    assert distance(sampler="random") > 0.2
    assert distance() < 0.2


def test_infeasible_trials_are_avoided(distributions: dict[str, Any]) -> None:
    """All trials with y = a break a constraint and look best: y = b is proposed more often."""
    tried = [
        replace(one, key=(1.0 if one.params["y"] == "a" else 0.5,), excess={"low": excess})
        for one in history(20)
        for excess in [0.1 if one.params["y"] == "a" else -0.1]
    ]
    found = [propose(tried, distributions, asked(), seed)["y"] for seed in range(20)]
    assert found.count("b") > 14


def test_failed_pruned_and_running_trials_are_taken(distributions: dict[str, Any]) -> None:
    tried = history()
    tried += [
        SamplerTrial({"x": 0.9, "y": "a"}, "failed"),
        SamplerTrial({"x": 0.8, "y": "b"}, "running"),
    ]
    tried += [SamplerTrial({"x": 0.7, "y": "b"}, "pruned", (0.1, 0.2), folds=2)]
    assert set(propose(tried, distributions, asked(), 0)) == {"x", "y"}


def test_importance_finds_the_setting_that_matters(distributions: dict[str, Any]) -> None:
    found = importances(history(30), distributions)
    assert next(iter(found)) == "x"
    assert sum(found.values()) == pytest.approx(1)
    assert importances(history(3), distributions) == {}
