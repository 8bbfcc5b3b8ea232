"""Weights of essays from their bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.models.scorer_settings import TrainingSettings
from essay_scoring.models.weighting import training_weights, weights_of

from .made import made_essays

ROOT = TrainingSettings(weighting="sqrt_inv_freq")


def test_weights_are_the_root_of_median_count_over_count() -> None:
    # Counts 1, 4 and 16, median 4: sqrt(4/1) = 2, sqrt(4/4) = 1, sqrt(4/16) = 0.5.
    bands = np.repeat([2, 4, 6], [1, 4, 16])
    np.testing.assert_array_equal(weights_of(bands, ROOT), np.repeat([2.0, 1.0, 0.5], [1, 4, 16]))


def test_the_cap_holds_rare_bands_down() -> None:
    # Counts 1, 25, 25, median 25: sqrt(25/1) = 5, capped at 3.
    bands = np.repeat([0, 1, 2], [1, 25, 25])
    assert weights_of(bands, ROOT)[0] == 3.0
    loose = TrainingSettings(weighting="sqrt_inv_freq", weight_cap=10)
    assert weights_of(bands, loose)[0] == 5.0


def test_the_power_says_how_steeply_weights_rise() -> None:
    # Counts 1, 4 and 16, median 4: (4/1)^1 = 4, capped at 3; then 1 and 0.25.
    bands = np.repeat([2, 4, 6], [1, 4, 16])
    steep = TrainingSettings(weighting="sqrt_inv_freq", weight_power=1.0)
    np.testing.assert_array_equal(weights_of(bands, steep), np.repeat([3.0, 1.0, 0.25], [1, 4, 16]))


def test_the_median_is_over_bands_that_are_present() -> None:
    # Counts 2 and 8, median 5, whatever lies between bands 0 and 8: sqrt(2.5) and sqrt(0.625).
    weights = weights_of(np.repeat([0, 8], [2, 8]), ROOT)
    assert weights[0] == pytest.approx(2.5**0.5)
    assert weights[-1] == pytest.approx(0.625**0.5)


def test_none_weighs_all_essays_alike() -> None:
    bands = np.array([0, 0, 0, 3])
    np.testing.assert_array_equal(weights_of(bands, TrainingSettings()), np.ones(4))


@given(st.lists(st.integers(0, 8), min_size=0, max_size=60))
def test_weights_follow_bands_and_rare_bands_weigh_more(bands: list[int]) -> None:
    weights = weights_of(np.array(bands, dtype=np.int64), ROOT)
    assert weights.shape == (len(bands),)
    for band, weight in zip(bands, weights, strict=True):
        assert 0 < weight <= ROOT.weight_cap
        for other, its_weight in zip(bands, weights, strict=True):
            if bands.count(band) <= bands.count(other):
                assert weight >= its_weight


def test_own_weights_multiply_those_of_bands_by_their_ratios() -> None:
    # Bands of counts 1 and 4: sqrt(2.5 / 1) and sqrt(2.5 / 4). Own weights 6, 1, 1, 1, 1, mean 2.
    train = replace(made_essays(5), scores=np.array([1.0, 2, 2, 2, 2]))
    own = replace(train, weights=np.array([6.0, 1, 1, 1, 1]))
    expected = np.array([3, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(training_weights(own, TrainingSettings()), expected)
    np.testing.assert_allclose(
        training_weights(own, ROOT), expected * training_weights(train, ROOT)
    )
    assert training_weights(train, ROOT)[0] == pytest.approx(2.5**0.5)
    many = replace(own, weights=1000 * np.array([6.0, 1, 1, 1, 1]))
    np.testing.assert_array_equal(training_weights(many, ROOT), training_weights(own, ROOT))
