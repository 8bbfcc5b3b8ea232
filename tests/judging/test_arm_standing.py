"""Groups of arms that are not told apart, and the luck of the one decided for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from essay_scoring.judging.arm_standing import Arms, luck_of, tied_arms
from essay_scoring.judging.plans import GatePlan
from tests.judging.registered import plan_of
from tests.statistics.made import made_predictions

PLAN = plan_of()
NAMES = {"much worse": 1.5, "worse": 0.8, "good": 0.3, "as good": 0.3}


@pytest.fixture(scope="module")
def arms() -> Arms:
    """Four scorers of the same essays that err by so much, two of them by as much."""
    base = made_predictions(1500, n_prompts=20, n_folds=5)
    found: dict[str, Any] = {}
    for seed, (name, error) in enumerate(NAMES.items()):
        rng = np.random.default_rng(seed)
        raw = base.true + error * rng.normal(size=len(base))
        run = replace(base, raw=raw, final=base.scales.round(raw, base.prompts))
        kappa = SimpleNamespace(estimate=-error)
        summary = SimpleNamespace(overall={"qwk": kappa})
        metrics = SimpleNamespace(summary=summary)
        found[name] = (SimpleNamespace(predictions=run, metrics=metrics),)
    return found


def test_arms_that_differ_are_apart_and_equal_ones_are_tied(arms: Arms) -> None:
    groups = tied_arms(arms, PLAN)
    assert groups == (("good", "as good"), ("worse",), ("much worse",))


def test_an_arm_between_two_is_tied_with_both(arms: Arms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are the largest sets of arms all tied with one another."""
    tied = {frozenset({"a", "b"}), frozenset({"b", "c"}), frozenset({"c", "d"})}

    def apart(one: Any, other: Any, _plan: GatePlan) -> bool:
        return frozenset({one[0].name, other[0].name}) not in tied

    monkeypatch.setattr("essay_scoring.judging.arm_standing._apart", apart)
    named: Mapping[str, Any] = {
        name: (SimpleNamespace(name=name, metrics=arms["good"][0].metrics),) for name in "abcd"
    }
    assert tied_arms(named, PLAN) == (("a", "b"), ("b", "c"), ("c", "d"))


def test_the_best_of_equal_arms_owes_its_lead_to_luck(arms: Arms) -> None:
    equal = {name: arms[name] for name in ("good", "as good")}
    lucky = max(luck.apparent["mean_qwk"] or 0.0 for luck in map_luck(equal))
    assert lucky > 0
    best = max(map_luck(equal), key=lambda luck: luck.apparent["mean_qwk"] or 0.0)
    drop, apparent = best.drop["mean_qwk"], best.apparent["mean_qwk"]
    assert drop is not None
    assert apparent is not None
    assert 0 <= drop < 0.02
    assert best.expected["mean_qwk"] == pytest.approx(apparent - drop)


def test_a_lone_candidate_and_a_reference_have_no_luck(arms: Arms) -> None:
    assert luck_of("good", {"good": arms["good"]}, PLAN) is None
    assert luck_of("reference", arms, PLAN) is None


def map_luck(arms: Arms) -> list[Any]:
    return [luck_of(name, arms, PLAN) for name in arms]
