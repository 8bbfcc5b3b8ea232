"""Mapping out-of-fold predictions without a fold shaping its own scores."""

from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.core.errors import InputError, NotFiniteError
from essay_scoring.core.scale import FloatArray, ScoreScales
from essay_scoring.models.mapping import Mapped, fit_cutpoints, map_out_of_fold
from essay_scoring.models.scorer_settings import MappingName

from .made import HALF_BANDS, PER_PROMPT, SHARED

N = 120
FOLDS = np.arange(N) % 4
PROMPTS = tuple(f"p{i % 2}" for i in range(N))
RNG = np.random.default_rng(3)
TRUE = RNG.choice(HALF_BANDS.labels, N)
RAW = 3 + 0.4 * (TRUE - 3) + RNG.normal(0, 0.3, N)


def mapped(
    raw: FloatArray = RAW,
    true: FloatArray = TRUE,
    mapping: MappingName = "qwk_cutpoints_lfo",
    scales: ScoreScales = SHARED,
) -> Mapped:
    return map_out_of_fold(raw, true, FOLDS, PROMPTS, scales, mapping)


def cuts(of: Mapped, fold: int) -> FloatArray:
    cutpoints = of.fitted[fold].cutpoints
    assert cutpoints is not None
    return cutpoints


@pytest.mark.parametrize("fold", [0, 3])
def test_the_labels_of_a_fold_never_shape_its_own_scores(fold: int) -> None:
    held_out = fold == FOLDS
    reversed_labels = np.where(held_out, 6 - TRUE, TRUE)
    before, after = mapped(), mapped(true=reversed_labels)
    np.testing.assert_array_equal(after.final[held_out], before.final[held_out])
    np.testing.assert_array_equal(cuts(after, fold), cuts(before, fold))
    other = (fold + 1) % 4
    assert (cuts(after, other) != cuts(before, other)).any()


def test_the_predictions_of_a_fold_never_shape_its_own_cutpoints() -> None:
    shifted = np.where(FOLDS == 2, RAW + 1, RAW)
    np.testing.assert_array_equal(cuts(mapped(raw=shifted), 2), cuts(mapped(), 2))


def test_each_fold_has_the_best_cutpoints_of_all_other_folds() -> None:
    result = mapped()
    assert sorted(result.fitted) == [0, 1, 2, 3]
    for fold in result.fitted:
        rest = fold != FOLDS
        expected = fit_cutpoints(RAW[rest], HALF_BANDS.index(TRUE[rest]), 9)
        np.testing.assert_array_equal(cuts(result, fold), expected)
    assert HALF_BANDS.holds(result.final).all()


def test_rounding_uses_each_prompts_own_scale_and_no_cutpoints() -> None:
    raw = np.where(np.arange(N) % 2 == 0, 33.4, 7.2)
    result = mapped(raw=raw, mapping="round_half_band", scales=PER_PROMPT)
    np.testing.assert_array_equal(result.final[:2], [33, 6])
    assert result.fitted == {}


def test_cutpoints_need_one_scale() -> None:
    with pytest.raises(InputError, match="mean_sigma_lfo"):
        mapped(scales=PER_PROMPT)


def test_cutpoints_need_another_fold() -> None:
    with pytest.raises(InputError, match="two folds"):
        map_out_of_fold(
            RAW, TRUE, np.zeros(N, dtype=np.int64), PROMPTS, SHARED, "qwk_cutpoints_lfo"
        )


def test_inner_cutpoints_are_not_fitted_here() -> None:
    with pytest.raises(ValueError, match="fit_mapping"):
        mapped(mapping="qwk_cutpoints_inner")


@pytest.mark.parametrize("mapping", ["round_half_band", "qwk_cutpoints_lfo", "mean_sigma_lfo"])
def test_predictions_must_be_finite(mapping: MappingName) -> None:
    with pytest.raises(NotFiniteError, match="row 7"):
        mapped(raw=np.where(np.arange(N) == 7, np.inf, RAW), mapping=mapping)
