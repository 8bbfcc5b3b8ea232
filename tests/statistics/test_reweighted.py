"""Runs with other weights of prompts, and with prompts swapped, against doing it essay by essay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.core.scale import FloatArray
from essay_scoring.models.mapping import mapped_anew
from essay_scoring.statistics import reweighted as module
from essay_scoring.statistics.comparison import figures_of
from essay_scoring.statistics.counts import Sums, observed, sums_of, tabulate
from essay_scoring.statistics.predictions import CUTPOINTS, Predictions, Refit
from essay_scoring.statistics.reweighted import Reweighted
from tests.statistics.made import MIXED, made_predictions, rescored


def mapped(run: Predictions, refit: Refit = "qwk_cutpoints_lfo") -> Predictions:
    """Return the run with scores of cut-points fitted on the other folds."""
    return mapped_anew(replace(run, refit=refit))


def figures(sums: Sums, run: int) -> FloatArray:
    large = sums.layout.sizes >= 12
    return np.array([v[:, run] for v in figures_of(sums, large, 3, strict=False).values()])


def direct(run: Predictions) -> FloatArray:
    tables = tabulate([run])
    return figures(sums_of(tables, observed(tables)), 0)[:, 0]


def joined(blocks: list[FloatArray]) -> FloatArray:
    return np.concatenate(blocks, axis=1)


def pair(
    n: int = 120, *, nested: bool = True, refit: Refit = "qwk_cutpoints_lfo"
) -> tuple[Predictions, Predictions]:
    one = made_predictions(n, n_prompts=6, n_folds=3, nested=nested)
    return mapped(one, refit), mapped(rescored(one, seed=4, noise=0.8), refit)


@pytest.mark.parametrize("refit", CUTPOINTS)
@pytest.mark.parametrize("nested", [True, False])
def test_swapped_runs_are_mapped_anew(refit: Refit, nested: bool) -> None:
    one, other = pair(nested=nested, refit=refit)
    swaps = np.array(
        [[0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 1]]
    )
    names, prompt_of = one.numbered_prompts()
    assert len(names) == 6
    again = Reweighted([one, other], tabulate([one, other]))
    blocks = list(again.swapped(swaps.astype(np.float64), 0, 1))
    for row, swap in enumerate(swaps):
        moved = swap[prompt_of] == 1
        for run, (kept, away) in enumerate(((one, other), (other, one))):
            raw = np.where(moved, away.raw, kept.raw)
            expected = direct(mapped(replace(kept, raw=raw), refit))
            found = joined([figures(block, run) for block in blocks])[:, row]
            assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("refit", CUTPOINTS)
def test_weights_count_essays_as_often_in_fitting_and_in_figures(refit: Refit) -> None:
    one, other = pair(refit=refit)
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 1, 1, 1], [0, 1, 1, 3, 1, 0]])
    again = Reweighted([one, other], tabulate([one, other]))
    found = joined([figures(block, 1) for block in again.refitted(weights.astype(np.float64))])
    prompt_of = one.numbered_prompts()[1]
    for row, weight in enumerate(weights):
        copies = np.repeat(np.arange(len(one)), weight[prompt_of])
        run = other.take(copies)
        ids = tuple(map(str, range(len(copies))))
        expected = direct(mapped(replace(run, ids=ids), refit))
        smooth = [0, 1, 5, 6, 7, 8, 9]  # A prompt twice is one prompt here, and two in a slice.
        assert found[smooth, row] == pytest.approx(expected[smooth], nan_ok=True)


def test_cut_points_may_be_fitted_under_other_weights_than_essays_count_by() -> None:
    one, other = pair()
    weights = np.ones((1, 6))
    again = Reweighted([one, other], tabulate([one, other]))
    [fitted] = again.refitted(weights, weights)
    [plain] = again.fixed(weights)
    assert figures(fitted, 0) == pytest.approx(figures(plain, 0))


def test_labels_that_were_not_fitted_stay() -> None:
    one = made_predictions(90, n_prompts=4, scales=MIXED)
    other = rescored(one, seed=3)
    again = Reweighted([one, other], tabulate([one, other]))
    swaps = np.array([[0.0, 1, 0, 1]])
    [sums] = again.swapped(swaps, 0, 1)
    moved = swaps[0][one.numbered_prompts()[1]] == 1
    both = replace(one, final=np.where(moved, other.final, one.final))
    assert figures(sums, 0)[:, 0] == pytest.approx(direct(both), nan_ok=True)


def test_many_prompts_of_few_essays_are_mapped_anew_alike() -> None:
    one = mapped(made_predictions(160, n_prompts=40, n_folds=4))
    names, prompt_of = one.numbered_prompts()
    drawn = np.random.default_rng(2).integers(0, 2, (3, len(names))).astype(np.float64)
    [block] = Reweighted([one], tabulate([one])).refitted(drawn)
    for row, weights in enumerate(drawn):
        expected = direct(mapped(one.take(np.flatnonzero(weights[prompt_of]))))
        found = figures(block, 0)[:, row]
        assert found[0] == pytest.approx(expected[0])


def test_blocks_do_not_change_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair()
    swaps = np.random.default_rng(0).integers(0, 2, (40, 6)).astype(np.float64)
    again = Reweighted([one, other], tabulate([one, other]))
    whole = joined([figures(block, 0) for block in again.swapped(swaps, 0, 1)])
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 20_000)
    blocks = [figures(block, 0) for block in again.swapped(swaps, 0, 1)]
    assert len(blocks) > 2
    assert joined(blocks) == pytest.approx(whole, nan_ok=True)


def test_many_raw_values_are_binned_and_change_little() -> None:
    one, other = pair(3000)
    [sums] = Reweighted([one, other], tabulate([one, other])).swapped(np.zeros((1, 6)), 0, 1)
    assert figures(sums, 0)[:, 0] == pytest.approx(direct(one), abs=0.01)
