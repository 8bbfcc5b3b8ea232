"""Targets softened by the analytic scores: by hand, once only, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import BlendSettings, RidgeSettings, TrainingSettings
from essay_scoring.models.softening import soften

from .made import context, error, made_essays

PLAIN = made_essays(8)
HALF = TrainingSettings(trait_share=0.5)


def with_trait(essays: ScoredEssays, trait: list[float]) -> ScoredEssays:
    return replace(essays, traits={"Syntax": np.array(trait)})


def test_half_way_from_the_score_to_what_the_traits_say() -> None:
    # Scores 1, 2, 1, 2, ... are 0, 1, 0, 1, ... on the training scale. The trait is 1 for the first
    # four and 2 for the rest: the regression is the mean of each half, 0.5, and half-way lies
    # 0.25 or 0.75.
    scores = np.array([1.0, 2.0] * 4)
    essays = with_trait(replace(PLAIN, scores=scores), [1.0] * 4 + [2.0] * 4)
    softened = soften(essays, 0.5)
    np.testing.assert_allclose(softened.targets, [0.25, 0.75] * 4)
    np.testing.assert_array_equal(softened.bands, essays.bands)
    np.testing.assert_array_equal(softened.scores, scores)
    np.testing.assert_allclose(softened.take([1, 2]).targets, [0.75, 0.25])
    # A blend softens before its parts do: theirs must change nothing.
    assert soften(softened, 0.5) is softened
    assert soften(essays, 0.0) is essays


def test_an_essay_without_all_traits_keeps_its_score() -> None:
    scores = np.array([1.0, 2.0] * 4)
    trait = [float("nan"), 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, float("nan")]
    softened = soften(with_trait(replace(PLAIN, scores=scores), trait), 1.0)
    # Left: targets 1 0 1 of trait 1, and 0 1 0 of trait 2.
    expected = [0.0, 2 / 3, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3, 1.0]
    np.testing.assert_array_equal(softened.targets, np.round(expected, 6))


@pytest.mark.parametrize("trait", [None, [float("nan")] * 4 + [1.0] * 4])
def test_too_few_rated_essays_are_refused(trait: list[float] | None) -> None:
    essays = PLAIN if trait is None else with_trait(PLAIN, trait)
    with pytest.raises(InputError, match=r"training\.trait_share: [04] of 8 .* analytic scores"):
        soften(essays, 0.5)


def test_a_scorer_learns_more_from_a_trait_that_says_what_the_score_blurs() -> None:
    """The score is what the trait says plus much noise: ridge then errs less on what was meant."""
    train, dev, held_out = made_essays(120), made_essays(40, seed=1), made_essays(40, seed=2)
    noise = np.random.default_rng(0).normal(0, 1.2, len(train))
    blurred = np.clip(np.round((train.scores + noise) * 2) / 2, 1, 5)
    train = with_trait(replace(train, scores=blurred), train.scores.tolist())
    errors = {}
    for share in (0.0, 1.0):
        scorer = build_scorer(RidgeSettings(), TrainingSettings(trait_share=share), context())
        scorer.fit(train, dev)
        errors[share] = error(scorer.predict(held_out.essays), held_out)
    assert errors[1.0] < errors[0.0]


def test_a_part_of_a_blend_learns_what_it_would_alone() -> None:
    train = with_trait(made_essays(60), (6.0 - made_essays(60).scores).tolist())
    train.traits["Syntax"][::2] = 3.0
    dev, held_out = made_essays(20, seed=1), made_essays(20, seed=2)
    two = BlendSettings.model_validate({"members": [{"scorer": {"family": "ridge"}}] * 2})
    predicted = []
    for settings in (RidgeSettings(), two):
        scorer = build_scorer(settings, HALF, context())
        scorer.fit(train, dev)
        predicted.append(scorer.predict(held_out.essays))
    np.testing.assert_allclose(predicted[0], predicted[1], atol=1e-9)
