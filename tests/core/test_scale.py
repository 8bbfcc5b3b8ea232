from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import TRAINING_WIDTH, ScoreScale, ScoreScales

ELLIPSE = ScoreScale(low=1, high=5, step=0.5)
ASAP = ScoreScales(
    by_prompt={
        "1": ScoreScale(low=2, high=12),
        "2": ScoreScale(low=1, high=6),
        "3": ScoreScale(low=0, high=3),
        "8": ScoreScale(low=0, high=60),
    }
)


def test_the_label_list_is_full() -> None:
    assert ELLIPSE.labels.tolist() == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert ELLIPSE.n_labels == 9
    assert ScoreScale(low=0, high=1, step=0.1).n_labels == 11


@pytest.mark.parametrize(
    ("raw", "rounded"),
    [
        (2.75, 3.0),  # halves go upwards, where Python's round would go to the even 2.5
        (3.25, 3.5),
        (2.7499, 2.5),
        (0.2, 1.0),  # clipped
        (9.0, 5.0),
    ],
)
def test_rounding_goes_to_the_nearest_label_halves_upwards(raw: float, rounded: float) -> None:
    assert ELLIPSE.round(np.array([raw])).tolist() == [rounded]


@pytest.mark.parametrize("score", [0.5, 5.5, 3.3, 3.25, float("nan"), float("inf")])
def test_scores_off_the_scale_or_its_steps_are_not_held(score: float) -> None:
    assert ELLIPSE.holds(np.array([score])).tolist() == [False]


def test_every_label_is_held_and_indexed_by_its_place() -> None:
    assert ELLIPSE.holds(ELLIPSE.labels).all()
    assert ELLIPSE.index(ELLIPSE.labels).tolist() == list(range(9))


@pytest.mark.parametrize(("low", "high", "step"), [(1, 1, 1), (5, 1, 1), (1, 5, 0.3), (0, 1, 0)])
def test_a_scale_without_whole_steps_is_refused(low: float, high: float, step: float) -> None:
    with pytest.raises(ValidationError):
        ScoreScale(low=low, high=high, step=step)


def test_a_corpus_has_one_kind_of_scale() -> None:
    with pytest.raises(ValidationError):
        ScoreScales()
    with pytest.raises(ValidationError):
        ScoreScales(shared=ELLIPSE, by_prompt={"1": ELLIPSE})


def test_a_prompt_without_a_scale_is_an_error() -> None:
    with pytest.raises(InputError, match="'9' has no score scale"):
        ASAP.round(np.array([1.0]), ["9"])


def test_training_targets_span_the_same_width_on_every_scale() -> None:
    scores, prompts = np.array([2.0, 12.0, 6.0, 0.0, 30.0]), ["1", "1", "2", "3", "8"]
    # 4 * (30 - 0) / 60 = 2.
    assert ASAP.to_training(scores, prompts).tolist() == [0.0, TRAINING_WIDTH, 4.0, 0.0, 2.0]


def test_targets_of_the_one_to_five_scale_keep_their_distances() -> None:
    scales = ScoreScales(shared=ELLIPSE)
    targets = scales.to_training(ELLIPSE.labels, ["p"] * 9)
    assert targets.tolist() == (ELLIPSE.labels - 1).tolist()


@given(st.lists(st.tuples(st.sampled_from(sorted(ASAP.by_prompt)), st.floats(0, 1)), min_size=1))
def test_the_training_scale_goes_there_and_back(drawn: list[tuple[str, float]]) -> None:
    prompts = [prompt for prompt, _ in drawn]
    scores = np.array([ASAP.of(p).low + u * (ASAP.of(p).high - ASAP.of(p).low) for p, u in drawn])
    back = ASAP.from_training(ASAP.to_training(scores, prompts), prompts)
    assert back == pytest.approx(scores, abs=1e-9)


def test_each_prompt_is_rounded_on_its_own_scale() -> None:
    raw, prompts = np.array([12.6, 12.6, 0.5, 59.5]), ["1", "2", "3", "8"]
    assert ASAP.round(raw, prompts).tolist() == [12, 6, 1, 60]


def test_tails_are_two_and_below_and_four_and_above() -> None:
    low, high = ScoreScales(shared=ELLIPSE).tails(ELLIPSE.labels, ["p"] * 9)
    assert ELLIPSE.labels[low].tolist() == [1, 1.5, 2]
    assert ELLIPSE.labels[high].tolist() == [4, 4.5, 5]


def test_bands_are_labels_on_a_short_shared_scale_and_fifths_otherwise() -> None:
    assert ScoreScales(shared=ELLIPSE).bands(ELLIPSE.labels, ["p"] * 9).tolist() == list(range(9))
    # 0 to 60 in fifths of 12: 11 is in the first, 12 in the second, 60 in the last.
    assert ASAP.bands(np.array([0.0, 11, 12, 59, 60]), ["8"] * 5).tolist() == [0, 0, 1, 4, 4]
