from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.scale import ScoreScale
from essay_scoring.statistics.power_population import (
    MAX_CORRELATION,
    Population,
    components,
    fit_population,
    label_correlation,
    latent_correlation,
)
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.simulation import Likeness, Places, draw_pair, draw_worlds, enlarged
from tests.statistics.made import HALVES, MIXED, made_predictions, of_scores

SHARED = HALVES.of("any prompt")


def drawn(
    population: Population, places: Places, likeness: Likeness, seed: int
) -> tuple[Predictions, Predictions]:
    rng = np.random.default_rng(seed)
    world = draw_worlds(population, places, likeness, 1, rng)
    return draw_pair(world, places, likeness.correlation, rng)


def test_variance_components_by_hand() -> None:
    # Prompts (1, 3) and (5, 7): within (1 + 1 + 1 + 1) / (4 - 2) = 2. Means 2 and 6 about 4: mean
    # square 2 * (4 + 4) / 1 = 16; size (4 - (4 + 4) / 4) / 1 = 2; between (16 - 2) / 2 = 7.
    values = np.array([1.0, 3.0, 5.0, 7.0])
    assert components(values, values, np.array([0, 0, 1, 1])) == (2.0, 7.0)
    # Against (2, 0, 3, 3): within (-1 * 1 + 1 * -1) / 2 = -1; means 1 and 3: mean square
    # 2 * (-2 * -1 + 2 * 1) = 8; between (8 + 1) / 2 = 4.5.
    other = np.array([2.0, 0.0, 3.0, 3.0])
    assert components(values, other, np.array([0, 0, 1, 1])) == (-1.0, 4.5)


def test_one_prompt_has_nothing_between() -> None:
    values = np.array([1.0, 3.0])
    assert components(values, values, np.array([0, 0])) == (2.0, 0.0)


def test_prompt_effects_are_recovered() -> None:
    places = Places.of(enlarged(made_predictions(1500, n_prompts=60, seed=2), essays=4))
    made = fit_population(made_predictions(seed=1))
    known = replace(made, shift=0.3, accuracy=0.15)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4):
        # The cuts of `made` allow for its own effects, not for these; errors are what is compared.
        world = draw_worlds(known, places, Likeness(0.5), 1, rng)
        found.append(fit_population(draw_pair(world, places, 0.5, rng)[0]))
    assert np.mean([one.shift for one in found]) == pytest.approx(0.3, abs=0.05)
    assert np.mean([one.accuracy for one in found]) == pytest.approx(0.15, abs=0.05)


def test_over_many_prompts_the_confusion_table_comes_out_again() -> None:
    run = made_predictions(1200, n_prompts=24)
    fitted = fit_population(run)
    worlds = draw_worlds(fitted, Places.of(run), Likeness(0.5), 400, np.random.default_rng(0))
    mean = worlds[0].tables.mean(axis=(0, 1, 2))
    assert mean == pytest.approx(fitted.models[SHARED].table, abs=0.01)


def test_rows_of_many_essays_are_the_reference_s_own() -> None:
    true, final = [3.0] * 400, [2.5] * 100 + [3.0] * 200 + [4.0] * 100
    table = fit_population(of_scores(true, final)).models[SHARED].table
    # Label 3.0 is position 4; five essays' worth of the line is spread over 405.
    assert table[4, [3, 4, 6]] == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


@pytest.mark.parametrize("correlation", [0.3, 0.8])
def test_the_correlation_of_a_drawn_pair_is_recovered(correlation: float) -> None:
    places = Places.of(enlarged(made_predictions(1500, n_prompts=30, noise=0.8), essays=4))
    population = fit_population(places.rows)
    pair = drawn(population, places, Likeness(correlation), seed=3)
    assert latent_correlation(population, *pair) == pytest.approx(correlation, abs=0.04)


def test_rounding_to_labels_hides_some_of_the_correlation() -> None:
    population = fit_population(made_predictions())
    at = [label_correlation(population, r) for r in (0.0, 0.3, 0.6, 0.9)]
    assert at[0] == pytest.approx(0, abs=1e-9)
    assert at == sorted(at)
    assert all(seen < latent for seen, latent in zip(at[1:], (0.3, 0.6, 0.9), strict=True))


def test_the_same_run_is_as_alike_as_can_be_and_a_constant_one_not_at_all() -> None:
    run = made_predictions()
    population = fit_population(run)
    assert latent_correlation(population, run, run) == MAX_CORRELATION
    constant = replace(run, final=np.full(len(run), 3.0))
    exact = replace(run, final=run.true)
    assert latent_correlation(population, run, exact) == 0
    assert latent_correlation(population, exact, constant) == 0


def test_a_perfect_reference_has_no_prompt_effects() -> None:
    run = made_predictions()
    population = fit_population(replace(run, final=run.true))
    assert (population.shift, population.accuracy) == (0, 0)
    drawn(population, Places.of(run), Likeness(0.5), seed=0)


def test_every_scale_has_a_model_of_its_own() -> None:
    population = fit_population(made_predictions(n_prompts=4, scales=MIXED))
    sizes = {scale: model.table.shape for scale, model in population.models.items()}
    assert sizes[ScoreScale(low=0, high=3)] == (4, 4)
    assert sizes[ScoreScale(low=0, high=60)] == (61, 61)
    # Two prompts share the scale from 0 to 3, and may stand in for each other.
    assert len(population.models[ScoreScale(low=0, high=3)].labels) == 2


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(SHARED.labels)), st.sampled_from(list(SHARED.labels))),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_any_run_gives_a_population(scores: list[tuple[float, float]], n_prompts: int) -> None:
    true, final = zip(*scores, strict=True)
    prompts = [f"p{row % n_prompts}" for row in range(len(true))]
    run = of_scores(true, final, prompts=prompts)
    population = fit_population(run)
    model = population.models[SHARED]
    assert model.table.sum(axis=1) == pytest.approx(1)
    assert (np.diff(model.cuts, axis=1) >= 0).all()
    assert (model.prior > 0).all()
    assert np.isfinite([population.shift, population.accuracy]).all()
    drawn(population, Places.of(run), Likeness(0.5), seed=0)
