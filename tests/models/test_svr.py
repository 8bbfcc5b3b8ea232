"""Support vector regression against the formula, and against scikit-learn's own pipeline."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from essay_scoring.core.errors import InputError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.models.card import read_card, write_card
from essay_scoring.models.registry import build_scorer, load_scorer
from essay_scoring.models.scorer_settings import SVRSettings, TrainingSettings
from essay_scoring.models.svr import SVRScorer

from .made import context, error, made_essays, text_columns

TRAIN, DEV, HELD_OUT = made_essays(90), made_essays(40, seed=1), made_essays(30, seed=2)


def test_the_prediction_is_the_kernel_expansion_by_hand() -> None:
    # Squared distances of (0, 0) to (1, 0) and (0, 2): 1 and 4; gamma ln 2 halves each unit.
    scorer = SVRScorer(SVRSettings(), TrainingSettings(), context())
    scorer.estimator = SimpleNamespace(
        support_vectors_=np.array([[1.0, 0.0], [0.0, 2.0]]),
        dual_coef_=np.array([[3.0, -8.0]]),
        intercept_=np.array([0.25]),
        gamma=float(np.log(2)),
    )
    # 3 / 2 - 8 / 16 + 1 / 4
    np.testing.assert_allclose(scorer.outputs(np.zeros((1, 2))), [1.25])


def test_it_is_scikit_learn_s_regression_on_standardised_columns() -> None:
    training = TrainingSettings(weighting="sqrt_inv_freq")
    settings = SVRSettings(penalties=(0.5,), gamma=0.6, epsilon=0.05)
    scorer = build_scorer(settings, training, context())
    assert isinstance(scorer, SVRScorer)
    scorer.fit(TRAIN, DEV)
    columns = text_columns(TRAIN.essays).values
    oracle = make_pipeline(StandardScaler(), SVR(C=0.5, gamma=0.6 / columns.shape[1], epsilon=0.05))
    oracle.fit(columns, TRAIN.targets, svr__sample_weight=scorer.weights(TRAIN))
    expected = oracle.predict(text_columns(HELD_OUT.essays).values)
    # Columns are seen in steps of 2**-14, and libsvm stops at errors of a thousandth.
    np.testing.assert_allclose(scorer.predict_targets(HELD_OUT.essays), expected, atol=1e-3)


def test_products_of_what_it_sees_are_exact_in_any_order() -> None:
    scorer = build_scorer(SVRSettings(), TrainingSettings(), context())
    assert isinstance(scorer, SVRScorer)
    scorer.fit(TRAIN, DEV)
    seen = scorer.standardised(text_columns(TRAIN.essays).values)
    products = np.array([[math.fsum(a * b) for b in seen[:20]] for a in seen[:20]])
    assert (seen[:20] @ seen[:20].T).tobytes() == products.tobytes()


def test_the_penalty_that_errs_least_on_dev_is_kept() -> None:
    penalties = (1e-4, 1.0)
    scorer = build_scorer(SVRSettings(penalties=penalties), TrainingSettings(), context())
    assert isinstance(scorer, SVRScorer)
    weak, strong = scorer.fit(TRAIN, DEV).curve["dev_by_penalty"]
    assert strong < weak
    assert scorer.facts == {"penalty": 1.0}
    assert error(scorer.predict(DEV.essays), DEV) == pytest.approx(strong)


def test_a_loaded_scorer_predicts_the_same(tmp_path: Path) -> None:
    scorer = build_scorer(SVRSettings(), TrainingSettings(), context())
    scorer.fit(TRAIN, DEV)
    scorer.save(tmp_path)
    again = load_scorer(tmp_path, context()).predict(HELD_OUT.essays)
    np.testing.assert_array_equal(again, scorer.predict(HELD_OUT.essays))


@pytest.mark.parametrize("broken", ["bytes", "columns", "type"])
def test_a_file_that_does_not_fit_its_card_is_refused(tmp_path: Path, broken: str) -> None:
    scorer = build_scorer(SVRSettings(), TrainingSettings(), context())
    scorer.fit(TRAIN, DEV)
    scorer.save(tmp_path)
    path, card = tmp_path / "model.skops", read_card(tmp_path)
    if broken == "bytes":
        path.write_bytes(b"no estimator")
    elif broken == "columns":
        card = card.model_copy(update={"columns": card.columns[1:]})
    else:
        path.write_bytes(skops.io.dumps({"estimator": Path(tmp_path)}))
    write_card(tmp_path, card.model_copy(update={"files": {path.name: file_sha256(path)}}))
    what = r"not an estimator of 5 columns" if broken == "columns" else r"not a saved estimator"
    with pytest.raises(InputError, match=f"{what}.*fit the scorer again"):
        load_scorer(tmp_path, context())
