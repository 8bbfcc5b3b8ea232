"""Arms of several seeds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from essay_scoring.core.errors import EvidenceError
from essay_scoring.statistics import slices
from essay_scoring.statistics.comparison import Delta, Spread, compare
from essay_scoring.statistics.hypothesis_tests import corrected_t, sign_flip
from essay_scoring.statistics.predictions import Predictions
from tests.statistics.made import given, made_predictions, of_scores, rescored

FIRST = made_predictions(200)
SECOND, THIRD, BETTER = (
    rescored(FIRST, seed=seed, noise=noise) for seed, noise in ((1, 0.4), (2, 0.4), (3, 0.3))
)


def test_figures_are_means_over_seeds_and_their_spread_is_shown() -> None:
    found = compare([FIRST, SECOND, THIRD], BETTER, min_prompt_n=20, replicates=0).deltas
    singly = [
        compare(run, BETTER, min_prompt_n=20, replicates=0).deltas for run in (FIRST, SECOND, THIRD)
    ]
    for name, delta in found.items():
        values = [float(one[name].reference or np.nan) for one in singly]
        assert delta.reference == pytest.approx(np.mean(values)), name
        assert delta.candidate == singly[0][name].candidate
        assert delta.estimate == pytest.approx((delta.candidate or 0) - np.mean(values))
        spread = delta.seeds["reference"]
        assert spread.n_seeds == 3
        assert (spread.sd, spread.minimum, spread.maximum) == pytest.approx(
            (np.std(values, ddof=1), min(values), max(values))
        )
        assert delta.seeds["candidate"] == Spread(
            n_seeds=1, sd=None, minimum=delta.candidate, maximum=delta.candidate
        )


def test_swapped_deltas_are_means_over_pairs_of_seeds() -> None:
    arm = [FIRST, SECOND]
    found = compare(arm, BETTER, min_prompt_n=20, replicates=50, seed=8).deltas
    singly = [compare(run, BETTER, min_prompt_n=20, replicates=50, seed=8).deltas for run in arm]
    for name, delta in found.items():
        expected = np.mean([one[name].swapped for one in singly], axis=0)
        assert delta.swapped == pytest.approx(expected), name


def test_what_seeds_add_to_an_interval() -> None:
    far = rescored(FIRST, seed=9, noise=0.9)
    one = compare(FIRST, BETTER, min_prompt_n=20, replicates=200).deltas["pooled_qwk"]
    arm = compare([FIRST, far], BETTER, min_prompt_n=20, replicates=200).deltas["pooled_qwk"]
    sd = given(arm.seeds["reference"].sd)
    assert given(arm.high) - given(arm.low) > 2 * sd / np.sqrt(2)
    assert given(one.high) - given(one.low) < given(arm.high) - given(arm.low)


def test_the_same_seed_twice_says_nothing_new() -> None:
    once = compare(FIRST, BETTER, min_prompt_n=20, replicates=50)
    twice = compare([FIRST, FIRST], [BETTER, BETTER], min_prompt_n=20, replicates=50)
    for name, delta in once.deltas.items():
        assert twice.deltas[name].swapped == pytest.approx(delta.swapped, nan_ok=True)
        assert twice.deltas[name].seeds["reference"].sd == pytest.approx(0)
    assert compare([FIRST], [BETTER], replicates=9).model_dump(mode="json") == compare(
        FIRST, BETTER, replicates=9
    ).model_dump(mode="json")


def test_an_arm_of_seeds_does_not_differ_from_itself() -> None:
    arm = [FIRST, SECOND, THIRD]
    found = compare(arm, arm, min_prompt_n=20, replicates=40)
    for delta in found.deltas.values():
        assert (delta.estimate, delta.low, delta.high) == (0.0, 0.0, 0.0), delta.metric
    assert found.fold_test is not None
    assert found.prompt_test is not None
    assert (found.fold_test.p, found.prompt_test.p) == (1.0, 1.0)


def test_a_seed_without_a_figure_leaves_the_arm_without() -> None:
    whole = of_scores([2, 3, 3, 3], [2, 3, 3, 3], folds=[0, 0, 1, 1])
    other = of_scores([2, 3, 3, 3], [2, 3, 3, 3.5], folds=[0, 0, 1, 1])
    delta = compare([other, whole], other, replicates=0).deltas["mean_qwk"]
    assert delta.estimate is None
    assert delta.seeds["reference"] == Spread(n_seeds=2, sd=None, minimum=None, maximum=None)
    assert json.dumps(delta.model_dump(mode="json"), allow_nan=False)


def kappas(run: Predictions) -> dict[str, float]:
    return {row.prompt: given(row.qwk) for row in slices.by_prompt(run, 20)[0]}


def test_folds_and_prompts_are_tested_on_means_over_seeds() -> None:
    found = compare([FIRST, SECOND], BETTER, min_prompt_n=20, replicates=0)
    folds = [[given(row.qwk) for row in slices.by_fold(run)] for run in (FIRST, SECOND, BETTER)]
    difference = np.array(folds[2]) - np.mean(folds[:2], axis=0)
    sizes = np.bincount(FIRST.folds).astype(float)
    assert found.fold_test is not None
    expected = corrected_t(difference, sizes)
    assert expected is not None
    assert found.fold_test.estimate == pytest.approx(expected.estimate)
    assert found.fold_test.estimate == pytest.approx(found.deltas["mean_qwk"].estimate)
    assert found.fold_test.p == pytest.approx(expected.p)
    assert found.fold_test.n_folds == 4
    assert found.fold_test.test_train_ratio == pytest.approx(expected.test_train_ratio)
    first, second, better = map(kappas, (FIRST, SECOND, BETTER))
    by_prompt = np.array([better[p] - (first[p] + second[p]) / 2 for p in first])
    flips = sign_flip(by_prompt, 0)
    assert flips is not None
    assert found.prompt_test is not None
    assert found.prompt_test.p == flips.p
    assert found.prompt_test.estimate == pytest.approx(flips.estimate)
    worst = min(first, key=lambda p: first[p] + second[p])
    slice_ = found.worst_prompts["reference"]
    assert slice_ is not None
    assert slice_.prompt == worst
    assert slice_.qwk == pytest.approx((first[worst] + second[worst]) / 2)


def test_prompts_too_small_are_no_part_of_the_sign_flips() -> None:
    sizes = np.unique(FIRST.prompts, return_counts=True)[1]
    least = int(np.sort(sizes)[-3])
    found = compare(FIRST, BETTER, min_prompt_n=least, replicates=0).prompt_test
    assert found is not None
    assert found.n_prompts == (sizes >= least).sum() < 8


def test_the_json_shows_seeds_and_tests() -> None:
    found = compare([FIRST, SECOND], BETTER, min_prompt_n=99, replicates=20).model_dump(mode="json")
    assert json.dumps(found, allow_nan=False)
    assert found["fold_test"]["n_folds"] == 4
    assert found["prompt_test"] is None  # no prompt is as large
    delta = found["deltas"][0]
    assert set(delta["seeds"]["reference"]) == {"n_seeds", "sd", "minimum", "maximum"}
    assert 0 <= delta["share_at_least_zero"] <= 1


def test_the_share_at_least_a_margin_counts_what_lies_on_it() -> None:
    delta = Delta(
        metric="mae",
        reference=0.1,
        candidate=0.2,
        estimate=0.7 - 0.6,
        low=0.0,
        high=0.2,
        n=9,
        prompts=1e12,
        seeds={},
        swapped=np.array([-0.1, 0.0, 0.1, np.nan]),
    )
    # Each error counts with both signs: 0.0 twice, 0.1 twice, 0.2 twice.
    assert [delta.share_at_least(m) for m in (-1, 0, 0.1, 0.2, 0.3)] == pytest.approx(
        [1, 1, 4 / 6, 2 / 6, 0]
    )
    unknown = delta.model_copy(update={"low": None, "high": None})
    assert unknown.share_at_least(0) is None


@pytest.mark.parametrize(
    ("reference", "candidate", "said"),
    [
        ([], FIRST, "the reference has no runs"),
        (FIRST, [], "the candidate has no runs"),
        ([FIRST, made_predictions(200, seed=7)], BETTER, "other"),
        (FIRST, [BETTER, FIRST.take(np.arange(199))], "0 only in the candidate, run 2"),
        ([FIRST, SECOND.take(np.arange(199))], FIRST, "1 only in the reference, run 1"),
    ],
)
def test_seeds_of_other_data_are_refused(
    reference: list[Predictions], candidate: list[Predictions], said: str
) -> None:
    with pytest.raises(EvidenceError, match=said):
        compare(reference, candidate, replicates=0)
