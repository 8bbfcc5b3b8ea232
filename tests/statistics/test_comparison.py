from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.statistics.comparison import DELTAS, compare
from essay_scoring.statistics.intervals import is_tied
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import summarise
from tests.statistics.made import MIXED, bounds, made_predictions, of_scores, rescored

REFERENCE = made_predictions(rated_twice=0.6)
CANDIDATE = rescored(REFERENCE, seed=1)


def test_deltas_are_the_differences_of_the_two_summaries() -> None:
    found = compare(REFERENCE, CANDIDATE, min_prompt_n=20, bottom_k=3, replicates=10).deltas
    one, other = (
        summarise(run, min_prompt_n=20, bottom_k=3, replicates=0) for run in (REFERENCE, CANDIDATE)
    )
    paths = {
        "mean_qwk": lambda s: s.mean_over_folds["qwk"].mean,
        "pooled_qwk": lambda s: s.overall["qwk"].estimate,
        "worst_prompt_qwk": lambda s: s.worst_prompt.qwk,
        "bottom_k_mean": lambda s: s.bottom_k_mean,
    } | {
        name: (lambda s, name=name: s.overall[name].estimate)
        for name in ("low_tail_adjacent", "high_tail_adjacent", "mae", "rmse", "smd")
    }
    assert tuple(found) == DELTAS
    apart = {"shrunken_worst_qwk", "continuous_qwk", "prmse"}  # have tests of their own
    assert set(paths) == set(DELTAS) - apart
    for name, read in paths.items():
        assert found[name].reference == pytest.approx(read(one), abs=1e-12), name
        assert found[name].candidate == pytest.approx(read(other), abs=1e-12), name
        assert found[name].estimate == pytest.approx(read(other) - read(one), abs=1e-12), name


def test_each_run_has_its_own_worst_prompt() -> None:
    prompts = list("aaabbb")
    reference = of_scores([2, 3, 4] * 2, [2, 3, 4, 3, 3, 3], prompts=prompts)
    candidate = of_scores([2, 3, 4] * 2, [3, 3, 3.5, 2, 3, 4], prompts=prompts)
    found = compare(reference, candidate, min_prompt_n=3, replicates=0)
    worst = found.worst_prompts
    assert worst["reference"] is not None
    assert worst["candidate"] is not None
    assert (worst["reference"].prompt, worst["candidate"].prompt) == ("b", "a")
    delta = found.deltas["worst_prompt_qwk"]
    assert delta.estimate == pytest.approx(worst["candidate"].qwk - worst["reference"].qwk)


def test_no_prompt_large_enough_leaves_the_worst_missing() -> None:
    found = compare(REFERENCE, CANDIDATE, min_prompt_n=10_000, replicates=20)
    for name in ("worst_prompt_qwk", "bottom_k_mean", "shrunken_worst_qwk"):
        delta = found.deltas[name]
        assert (delta.estimate, delta.low, delta.high, delta.share_at_least(0)) == (None,) * 4
        assert (delta.reference, delta.candidate, delta.n) == (None, None, 0)
    assert found.worst_prompts == {"reference": None, "candidate": None}
    assert found.prompt_test is None
    assert found.deltas["mean_qwk"].estimate is not None


def test_an_empty_tail_is_missing_not_zero() -> None:
    reference = of_scores([3, 3.5, 3, 2.5] * 3, [3, 3, 3, 3] * 3)
    found = compare(reference, reference, min_prompt_n=2, replicates=20).deltas
    assert found["low_tail_adjacent"].estimate is None
    assert found["low_tail_adjacent"].n == 0


def test_a_fold_without_kappa_leaves_no_mean() -> None:
    folds = [0, 0, 1, 1]
    reference = of_scores([2, 3, 3, 3], [2, 3, 3, 3], folds=folds)
    candidate = of_scores([2, 3, 3, 3], [2, 3, 3, 3.5], folds=folds)
    assert compare(reference, candidate, replicates=0).deltas["mean_qwk"].estimate is None


@given(
    st.integers(0, 10_000),
    st.booleans(),
    st.sampled_from(["shared", "mixed"]),
)
@settings(max_examples=12, deadline=None)
def test_a_run_does_not_differ_from_itself(seed: int, nested: bool, kind: str) -> None:
    scales = MIXED if kind == "mixed" else REFERENCE.scales
    run = made_predictions(90, n_prompts=4, seed=seed, nested=nested, scales=scales)
    for delta in compare(run, run, min_prompt_n=5, replicates=40).deltas.values():
        if delta.estimate is not None and delta.low is not None:
            assert (delta.estimate, delta.low, delta.high) == (0.0, 0.0, 0.0), delta.metric
            assert delta.share_at_least(0) == 1.0
            assert delta.share_at_least(1e-6) == 0.0


def test_rows_are_matched_by_id_not_by_place() -> None:
    turned = CANDIDATE.take(np.random.default_rng(0).permutation(len(CANDIDATE)))
    one, other = (compare(REFERENCE, c, replicates=30) for c in (CANDIDATE, turned))
    assert one.model_dump(mode="json") == other.model_dump(mode="json")


def test_swapping_the_runs_turns_every_delta() -> None:
    there, back = (
        compare(*runs, min_prompt_n=20, replicates=200)
        for runs in ((REFERENCE, CANDIDATE), (CANDIDATE, REFERENCE))
    )
    for name, delta in there.deltas.items():
        other = back.deltas[name]
        assert delta.estimate == pytest.approx(-(other.estimate or 0), abs=1e-12)
        assert delta.low == pytest.approx(-(other.high or 0), abs=1e-12)


def test_a_better_candidate_is_seen() -> None:
    better = rescored(REFERENCE, seed=2, noise=0.05)
    delta = compare(REFERENCE, better, min_prompt_n=20, replicates=200).deltas["mean_qwk"]
    assert delta.low is not None
    assert delta.low > 0
    assert delta.share_at_least(0) == 1.0


def test_the_json_has_all_figures_and_no_draws() -> None:
    found = compare(REFERENCE, CANDIDATE, replicates=20).model_dump(mode="json")
    text = json.dumps(found, allow_nan=False)
    assert "swapped" not in text
    assert [delta["metric"] for delta in found["deltas"]] == list(DELTAS)
    assert (found["n"], found["n_prompts"], found["n_folds"]) == (300, 8, 4)


def with_other_fold() -> Predictions:
    folds = CANDIDATE.folds.copy()
    folds[7] += 1
    return replace(CANDIDATE, folds=folds)


def with_other_score() -> Predictions:
    true = CANDIDATE.true.copy()
    true[7] = 1.5 if true[7] > 3 else 4.5
    return replace(CANDIDATE, true=true)


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (with_other_fold(), "other folds: 1 essays differ, the first is 'e00007'"),
        (with_other_score(), "other true scores: 1 essays differ, the first is 'e00007'"),
        (
            replace(CANDIDATE, prompts=("elsewhere", *CANDIDATE.prompts[1:])),
            "other prompts: 1 essays differ, the first is 'e00000'",
        ),
        (
            replace(CANDIDATE, scales=ScoreScales(shared=ScoreScale(low=1, high=6, step=0.5))),
            "other score scales",
        ),
        (CANDIDATE.take(np.arange(299)), "1 only in the reference, 0 only in the candidate"),
        (
            replace(CANDIDATE, ids=("new", *CANDIDATE.ids[1:])),
            "1 only in the reference, 1 only in the candidate",
        ),
        (
            replace(CANDIDATE, ids=(CANDIDATE.ids[1], *CANDIDATE.ids[1:])),
            "an essay occurs twice in the candidate",
        ),
    ],
)
def test_runs_of_other_data_are_refused(candidate: Predictions, said: str) -> None:
    with pytest.raises(EvidenceError, match=said) as caught:
        compare(REFERENCE, candidate, replicates=5)
    assert caught.value.exit_code == 4


def test_no_essays_are_refused() -> None:
    empty = REFERENCE.take(np.arange(0))
    with pytest.raises(EvidenceError, match="no essays"):
        compare(empty, empty)


def test_the_worst_five_of_eight_can_be_found_better() -> None:
    """Swaps of the three prompts that are nobody's worst change nothing, and refuse nothing."""
    rng = np.random.default_rng(5)
    prompts = np.repeat(list("abcdefgh"), 60)
    true = rng.integers(1, 6, len(prompts)).astype(float)
    missed = rng.random(len(prompts))
    scores = []
    for share in (0.4, 0.2):
        wrong = missed < np.where(prompts > "c", share, 0.05)
        scores.append(np.where(wrong, 6 - true, true))
    names, truth = list(map(str, prompts)), true.tolist()
    reference, candidate = (of_scores(truth, final.tolist(), prompts=names) for final in scores)
    delta = compare(reference, candidate, bottom_k=5).deltas["bottom_k_mean"]
    assert is_tied(delta.swapped)
    low, high = bounds(delta)
    assert delta.estimate is not None
    assert 0 < low < delta.estimate < high
    observed, swapped = delta.studentised(0.0)
    assert (swapped >= observed - 1e-9).mean() >= 1 / 32


@pytest.mark.parametrize("k", [1, 2])
def test_the_worst_one_or_two_are_as_uncertain_as_the_worst_prompt(k: int) -> None:
    found = compare(REFERENCE, CANDIDATE, min_prompt_n=20, bottom_k=k).deltas
    low, high = bounds(found["bottom_k_mean"])
    assert low < 0 < high
    if k == 1:
        assert (low, high) == bounds(found["worst_prompt_qwk"])
