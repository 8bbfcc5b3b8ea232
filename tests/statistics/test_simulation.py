from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.scale import ScoreScales
from essay_scoring.statistics.agreement import overall
from essay_scoring.statistics.figures import overall_figures, prompt_qwk
from essay_scoring.statistics.power_population import Population, fit_population
from essay_scoring.statistics.simulation import (
    CANDIDATE,
    REFERENCE,
    Likeness,
    Places,
    ScaleWorlds,
    draw_pair,
    draw_worlds,
    enlarged,
    improved,
    label_grid,
    true_sums,
)
from tests.statistics.made import HALVES, MIXED, made_predictions, of_scores
from tests.statistics.oracle import kappa

RUN = made_predictions(600, n_prompts=12, noise=0.7)
PLACES = Places.of(RUN)
LARGE = PLACES.sizes >= 30


@pytest.fixture(scope="module")
def population() -> Population:
    return replace(fit_population(RUN), shift=0.3, accuracy=0.1)


def worlds(population: Population, n: int, likeness: Likeness | None = None) -> list[ScaleWorlds]:
    rng = np.random.default_rng(5)
    return draw_worlds(population, PLACES, likeness or Likeness(0.6), n, rng)


def test_equal_on_average_differs_by_prompt_and_equal_everywhere_does_not(
    population: Population,
) -> None:
    [own] = worlds(population, 3)
    assert not np.allclose(own.tables[:, :, REFERENCE], own.tables[:, :, CANDIDATE])
    [shared] = worlds(population, 3, Likeness(0.6, shared_prompts=True))
    assert (shared.tables[:, :, REFERENCE] == shared.tables[:, :, CANDIDATE]).all()


def test_equal_scorers_have_equal_true_figures_over_many_worlds(population: Population) -> None:
    sums = true_sums(worlds(population, 400), PLACES, label_grid(PLACES))
    figures = overall_figures(sums) | {"lowest": np.min(prompt_qwk(sums), axis=-1)}
    for name in ("mean_qwk", "qwk", "low_tail_adjacent", "high_tail_adjacent", "lowest"):
        delta = figures[name][:, CANDIDATE] - figures[name][:, REFERENCE]
        assert abs(delta.mean()) < 3.5 * delta.std() / 20, name
        assert delta.std() > 0, name


def test_a_pair_of_equals_is_exchangeable(population: Population) -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros((9, 9))
    for _ in range(60):
        world = draw_worlds(population, PLACES, Likeness(0.6), 1, rng)
        pair = draw_pair(world, PLACES, 0.6, rng)
        at = [((run.final - 1) / 0.5).astype(int) for run in pair]
        np.add.at(counts, (at[0], at[1]), 1)
    off = (counts - counts.T)[np.triu_indices(9, 1)]
    total = (counts + counts.T)[np.triu_indices(9, 1)]
    seen = total > 20
    # Each difference has about the variance of its total, a little more through shared prompts.
    assert (off[seen] ** 2 / total[seen]).mean() < 2
    assert np.trace(counts) < counts.sum()


def test_one_world_drawn_large_has_its_true_figures(population: Population) -> None:
    places = Places.of(enlarged(RUN, essays=60))
    rng = np.random.default_rng(1)
    world = draw_worlds(population, places, Likeness(0.6), 1, rng)
    sums = true_sums(world, places, label_grid(places))
    figures = overall_figures(sums)
    for which, run in enumerate(draw_pair(world, places, 0.6, rng)):
        seen = overall(run)
        for name in ("qwk", "mae", "low_tail_adjacent", "high_tail_adjacent"):
            assert figures[name][0, which] == pytest.approx(seen[name].estimate, abs=0.015)
        first = np.flatnonzero(places.prompt_of == 0)
        assert prompt_qwk(sums)[0, which, 0] == pytest.approx(kappa(run.take(first)), abs=0.04)


def test_errors_shrink_by_a_share() -> None:
    labels = np.array([[[0.25, 0.5, 0.25] + [0.0] * 6]])
    table = np.zeros((9, 9))
    table[:, 2] = 1.0
    part = ScaleWorlds(HALVES.of("p"), np.array([0]), labels, np.tile(table, (1, 1, 2, 1, 1)))
    [half] = improved([part], 0.5, "everywhere", np.array([True]), 1)
    better = half.tables[0, 0, CANDIDATE]
    # All are given label 2. True 0: an error of 2 becomes 1. True 1: 0.5, one time in two none.
    assert better[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert better[1].tolist() == [0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert better[2].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    # True 8: an error of 6 becomes 3, label 5.
    assert better[8].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert (half.tables[:, :, REFERENCE] == part.tables[:, :, REFERENCE]).all()
    [none] = improved([part], 0.0, "everywhere", np.array([True]), 1)
    assert (none.tables == part.tables).all()
    [all_] = improved([part], 1.0, "everywhere", np.array([True]), 1)
    assert all_.tables[0, 0, CANDIDATE].tolist() == np.eye(9).tolist()


def test_a_candidate_better_in_the_low_tail_is_the_same_elsewhere(population: Population) -> None:
    [before] = worlds(population, 4)
    [after] = improved([before], 0.5, "low_tail", LARGE, 3)
    changed = (before.tables != after.tables).any(axis=(0, 1, 4))
    # 1.0, 1.5 and 2.0 are the low tail of a scale from 1 to 5.
    assert changed[CANDIDATE].tolist() == [True] * 3 + [False] * 6
    assert not changed[REFERENCE].any()


def test_only_the_worst_large_prompts_are_bettered(population: Population) -> None:
    before = worlds(population, 6)
    large = LARGE.copy()
    large[:4] = False
    after = improved(before, 0.5, "worst_prompts", large, 3)
    changed = (before[0].tables != after[0].tables).any(axis=(2, 3, 4))
    kappa_before = prompt_qwk(true_sums(before, PLACES, label_grid(PLACES)))[:, REFERENCE]
    for world, kappas in enumerate(np.where(large, kappa_before, np.inf)):
        worst = np.argsort(kappas)[:3].tolist()
        assert set(np.flatnonzero(changed[world])) == set(worst)


def test_more_essays_and_more_prompts() -> None:
    # A prompt that is called as another's copy would be stays a prompt of its own.
    run = of_scores([1, 2, 3], [1, 2, 3], prompts=["a", "a", "1~a"], folds=[0, 0, 1])
    more = enlarged(run, essays=2, prompts=2)
    places = Places.of(more)
    assert dict(zip(places.prompts, places.sizes.tolist(), strict=True)) == {
        "0~a": 4,
        "1~a": 4,
        "0~1~a": 2,
        "1~1~a": 2,
    }
    assert len(set(more.ids)) == 12
    folds = {prompt: int(fold) for prompt, fold in zip(more.prompts, more.folds, strict=True)}
    assert folds == {"0~a": 0, "1~a": 0, "0~1~a": 1, "1~1~a": 1}
    assert enlarged(run) is run


def test_added_prompts_keep_the_scale_of_their_model() -> None:
    run = made_predictions(n_prompts=4, scales=MIXED)
    more = enlarged(run, prompts=2)
    assert more.scales.of("1~p02") == MIXED.of("p02")


def test_scores_lie_on_the_scale_of_their_prompt() -> None:
    run = made_predictions(300, n_prompts=4, scales=MIXED)
    places, rng = Places.of(run), np.random.default_rng(0)
    world = draw_worlds(fit_population(run), places, Likeness(0.7), 1, rng)
    world = improved(world, 0.3, "everywhere", places.sizes >= 30, 2)
    for one in draw_pair(world, places, 0.7, rng):
        for scale, rows in ScoreScales.for_prompts(MIXED, one.prompts).items():
            assert scale.holds(one.true[rows]).all()
            assert scale.holds(one.final[rows]).all()
    sums = true_sums(world, places, label_grid(places))
    assert overall_figures(sums)["qwk"][0, CANDIDATE] > overall_figures(sums)["qwk"][0, REFERENCE]


def test_prompts_that_span_folds_are_counted_in_each() -> None:
    run = made_predictions(400, n_prompts=6, nested=False)
    places = Places.of(run)
    world = draw_worlds(fit_population(run), places, Likeness(0.7), 2, np.random.default_rng(0))
    sums = true_sums(world, places, label_grid(places))
    n = sums.groups[0, :, 0, 0, 0] / sums.groups[0, :, 0, 0, 0].sum()
    assert n == pytest.approx(np.bincount(run.folds) / 400)
