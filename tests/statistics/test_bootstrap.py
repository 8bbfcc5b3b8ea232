from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.core.scale import FloatArray, ScoreScale
from essay_scoring.statistics.bootstrap import draw_prompts, percentiles, resample
from essay_scoring.statistics.counts import sums_of, tabulate
from essay_scoring.statistics.figures import overall_figures
from essay_scoring.statistics.metrics import qwk_of_counts
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import HALVES, made_predictions, of_scores, rescored


def vectorised(runs: list[Predictions], replicates: int, seed: int) -> dict[str, FloatArray]:
    tables = tabulate(runs)
    blocks = [
        overall_figures(sums_of(tables, draws))
        for draws in resample(tables, replicates, seed, "prompts")
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def plain_loop(runs: list[Predictions], replicates: int, seed: int) -> dict[str, FloatArray]:
    """The same resampling essay by essay: k prompts, then k * m * n essays of each."""
    rng, first = np.random.default_rng(seed), runs[0]
    prompts = np.array(first.prompts)
    out: dict[str, list[list[float]]] = {"mean_qwk": [], "mae": []}
    for _ in range(replicates):
        weights = np.zeros(len(first))
        names = np.unique(prompts)
        for name in rng.choice(names, len(names)):
            members = np.flatnonzero(prompts == name)
            for essay in rng.choice(members, len(members) * len(names)):
                weights[essay] += 1 / len(names)
        out["mean_qwk"].append([fold_mean_qwk(run, weights) for run in runs])
        errors = [np.abs(run.final - run.true) for run in runs]
        out["mae"].append([float((weights * e).sum() / weights.sum()) for e in errors])
    return {name: np.array(rows) for name, rows in out.items()}


def fold_mean_qwk(run: Predictions, weights: FloatArray) -> float:
    scale = HALVES.shared
    assert isinstance(scale, ScoreScale)
    kappas = []
    for fold in np.unique(run.folds):
        at = run.folds == fold
        cell = scale.index(run.true[at]) * 9 + scale.index(run.final[at])
        counts = np.bincount(cell, weights=weights[at], minlength=81).reshape(9, 9)
        kappas.append(float(qwk_of_counts(counts)))
    return float(np.nanmean(kappas))


def test_it_draws_as_a_plain_loop_does() -> None:
    reference = made_predictions(160, n_prompts=8, n_folds=2)
    runs = [reference, rescored(reference, seed=5)]
    fast, slow = vectorised(runs, 4000, seed=1), plain_loop(runs, 250, seed=2)
    for name, loop in slow.items():
        for a, b in (
            (fast[name][:, 1] - fast[name][:, 0], loop[:, 1] - loop[:, 0]),
            (fast[name][:, 0], loop[:, 0]),
        ):
            # Four standard errors of a mean, a deviation and an outer percentile of 250 draws.
            error = a.std() / np.sqrt(len(b))
            assert abs(a.mean() - b.mean()) < 4 * error, name
            assert b.std() / a.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(b)))
            edges = np.quantile(a, [0.025, 0.975]) - np.quantile(b, [0.025, 0.975])
            assert np.abs(edges).max() < 4 * 2.7 * error, name


def test_prompts_are_drawn_together_whatever_fold_they_lie_in() -> None:
    drawn = draw_prompts(8, 500, seed=0)
    assert (drawn.sum(axis=1) == 8).all()
    # A prompt alone in its fold is drawn as often as others, and so varies.
    assert drawn.var(axis=0) == pytest.approx(np.full(8, 7 / 8), abs=0.25)


@pytest.mark.parametrize("nested", [True, False])
def test_an_essay_is_drawn_once_on_average(nested: bool) -> None:
    tables = tabulate([made_predictions(200, nested=nested)])
    blocks = list(resample(tables, 3000, 4, "prompts"))
    rows = np.diff(np.append(tables.prompt_starts, len(tables.counts)))
    weights = np.concatenate([block.counts / np.repeat(block.times, rows) for block in blocks])
    assert weights.mean(axis=0) == pytest.approx(tables.counts, abs=0.25)
    sizes = np.add.reduceat(weights, tables.prompt_starts, axis=1)
    drawn = np.concatenate([block.drawn for block in blocks])
    assert np.array_equal(np.round(sizes, 6), drawn * tables.layout.sizes)


def test_within_prompts_every_prompt_keeps_its_size() -> None:
    tables = tabulate([made_predictions(200)])
    (draws,) = resample(tables, 50, 4, "essays")
    sizes = np.add.reduceat(draws.counts, tables.prompt_starts, axis=1)
    assert (sizes == tables.layout.sizes).all()


def test_blocks_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [made_predictions()]
    whole = vectorised(runs, 60, seed=9)
    monkeypatch.setattr("essay_scoring.statistics.bootstrap.BLOCK_NUMBERS", 4_000)
    monkeypatch.setattr("essay_scoring.statistics.bootstrap.FEWEST_IN_BLOCK", 1)
    tables = tabulate(runs)
    assert len(list(resample(tables, 60, 9, "prompts"))) > 3
    for name, values in vectorised(runs, 60, seed=9).items():
        assert np.array_equal(values, whole[name], equal_nan=True)


def test_a_prompt_draws_the_same_whatever_others_there_are() -> None:
    both = of_scores([1, 2, 3, 2, 3, 4], [1, 2, 3, 2, 4, 4], prompts=list("aaabbb"))
    alone = both.take(np.arange(3, 6))
    drawn = []
    for predictions in (both, alone):
        tables = tabulate([predictions])
        (draws,) = resample(tables, 20, 1, "essays")
        drawn.append(draws.counts[:, -3:])
    assert np.array_equal(drawn[0], drawn[1])


def test_percentiles_need_a_figure_in_most_resamples() -> None:
    draws = np.linspace(0, 1, 101)
    assert percentiles(draws) == pytest.approx((0.025, 0.975))
    draws[:5] = np.nan
    assert percentiles(draws) == pytest.approx((0.05 + 0.025 * 0.95, 0.97625))
    draws[:20] = np.nan
    assert percentiles(draws) == (None, None)
    assert percentiles(np.empty(0)) == (None, None)
