"""Ridge on standardised columns: the numbers, and the scorer around them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from essay_scoring.core.contracts import Columns, Matrix
from essay_scoring.core.essays import Essays
from essay_scoring.models.linear import fit_ridge_path, fit_standardiser
from essay_scoring.models.ridge import RidgeScorer
from essay_scoring.models.scorer_settings import RidgeSettings, TrainingSettings

from .made import context, error, made_essays, text_columns


def matrix(*rows: list[float]) -> Matrix:
    return np.array(rows, dtype=np.float32)


def test_one_column_by_hand() -> None:
    # Column -1, 1: mean 0, deviation 1. z'z = 2, z'(y - 1) = 1 + 1 = 2, so with alpha 2 the
    # coefficient is 2 / (2 + 2) = 0.5 and with alpha 6 it is 0.25; the intercept is the mean, 1.
    x, y = matrix([-1], [1]), np.array([0.0, 2.0])
    weak, strong = fit_ridge_path(x, y, np.ones(2), [2.0, 6.0])
    assert weak.predict(matrix([3]))[0] == pytest.approx(1 + 0.5 * 3)
    assert strong.predict(matrix([3]))[0] == pytest.approx(1 + 0.25 * 3)


def test_the_intercept_is_not_shrunk_and_follows_the_weights() -> None:
    # Weighted mean of 0 and 2 with weights 3 and 1: 0.5. A huge alpha leaves the intercept alone.
    (model,) = fit_ridge_path(matrix([-1], [1]), np.array([0.0, 2.0]), np.array([3.0, 1.0]), [1e12])
    assert model.predict(matrix([0]))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(60, 5), (20, 50)])
def test_it_agrees_with_another_ridge_when_weighted(shape: tuple[int, int]) -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    y, weights = x[:, 0] + rng.normal(size=shape[0]), rng.uniform(0.5, 3, shape[0])
    z = (x.astype(float) - x.mean(axis=0, dtype=float)) / x.std(axis=0, dtype=float)
    for model, alpha in zip(fit_ridge_path(x, y, weights, [0.5, 30.0]), [0.5, 30.0], strict=True):
        other = Ridge(alpha=alpha).fit(z, y, sample_weight=weights)
        np.testing.assert_allclose(model.predict(x), other.predict(z), rtol=1e-9, atol=1e-9)


def test_an_undefined_value_counts_as_the_training_mean() -> None:
    x = matrix([1, 5], [3, np.nan], [8, 1])
    standardiser = fit_standardiser(x)
    np.testing.assert_allclose(standardiser.mean, [4, 3])  # of the defined values alone
    np.testing.assert_allclose(standardiser.deviation, [np.sqrt(26 / 3), 2])  # 9+1+16; 4, 4
    np.testing.assert_array_equal(standardiser.apply(matrix([4, np.nan])), [[0, 0]])


def test_a_column_that_never_varied_in_training_has_no_say() -> None:
    rng = np.random.default_rng(0)
    tenth = np.float32(0.1)  # a computed constant: some values are one rounding step off
    almost = np.where(np.arange(50) % 2, tenth, np.nextafter(tenth, np.float32(1)))
    x = np.column_stack([rng.normal(size=50), almost, np.full(50, np.nan), np.zeros(50)])
    (model,) = fit_ridge_path(x.astype(np.float32), x[:, 0], np.ones(50), [1.0])
    plain, wild = matrix([0.5, 0.1, 0, 0], [0.5, 9, 1e6, 1e6])
    assert model.predict(plain[None])[0] == pytest.approx(model.predict(wild[None])[0], abs=1e-6)


def ridge(alphas: tuple[float, ...], training: TrainingSettings | None = None) -> RidgeScorer:
    return RidgeScorer(RidgeSettings(alphas=alphas), training or TrainingSettings(), context())


def test_the_strength_with_the_least_dev_error_is_kept() -> None:
    train, dev = made_essays(80), made_essays(40, seed=1)
    alphas = (1e-3, 10.0, 1e6)
    scorer = ridge(alphas)
    report = scorer.fit(train, dev)
    errors = report.curve["dev_by_alpha"]
    best = int(np.argmin(errors))
    assert scorer.facts == {"alpha": alphas[best]}
    for alpha, expected in zip(alphas, errors, strict=True):
        alone = ridge((alpha,))
        alone.fit(train, dev)
        assert error(alone.predict(dev.essays), dev) == pytest.approx(expected)
    assert error(scorer.predict(dev.essays), dev) == pytest.approx(errors[best])


def test_weights_reach_the_coefficients() -> None:
    train, dev = made_essays(80), made_essays(40, seed=1)
    plain, weighted = ridge((10.0,)), ridge((10.0,), TrainingSettings(weighting="sqrt_inv_freq"))
    for scorer in (plain, weighted):
        scorer.fit(train, dev)
    assert (plain.predict(dev.essays) != weighted.predict(dev.essays)).all()


def test_dev_chooses_the_strength_and_teaches_nothing_else() -> None:
    train = made_essays(80)
    predictions: list[NDArray[np.float64]] = []
    for seed in (1, 2):
        scorer = ridge((10.0,))
        scorer.fit(train, made_essays(40, seed=seed))
        predictions.append(scorer.predict(train.essays))
    np.testing.assert_array_equal(predictions[0], predictions[1])


def test_each_essay_is_predicted_alone() -> None:
    """Standardising by the essays predicted together would leak them into each other."""
    train, held_out = made_essays(80), made_essays(30, seed=2).essays
    scorer = ridge((10.0,))
    scorer.fit(train, made_essays(20, seed=1))
    alone = [scorer.predict(held_out.take([i]))[0] for i in range(30)]
    np.testing.assert_allclose(scorer.predict(held_out), alone, rtol=1e-12)


def test_predictions_are_finite_or_name_the_essay() -> None:
    from essay_scoring.core.errors import NotFiniteError

    def overflowing(essays: Essays) -> Columns:
        columns = text_columns(essays)
        huge = np.array([essay_id == "e2-3" for essay_id in essays.ids])
        columns.values[huge, 0] = np.inf
        return columns

    scorer = RidgeScorer(RidgeSettings(), TrainingSettings(), context(columns=overflowing))
    scorer.fit(made_essays(40), made_essays(20, seed=1))
    with pytest.raises(NotFiniteError, match=r"essay e2-3: column 'good_share' is infinite"):
        scorer.predict(made_essays(10, seed=2).essays)
