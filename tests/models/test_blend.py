"""Blends: weights by hand, columns of a part, and parts that are not the blend's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from essay_scoring.core.contracts import Columns
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.models.blend import convex_weights
from essay_scoring.models.registry import build_scorer, load_scorer
from essay_scoring.models.scorer_settings import BlendSettings, RidgeSettings, TrainingSettings

from .made import context, made_essays, text_columns

TRAIN, DEV, HELD_OUT = made_essays(90), made_essays(40, seed=1), made_essays(30, seed=2)


def blend(weights: str = "equal", columns: tuple[Any, Any] = ("named", "embeddings")) -> Any:
    members = [{"scorer": {"family": "ridge"}, "columns": kind} for kind in columns]
    return BlendSettings.model_validate({"weights": weights, "members": members})


def two_kinds(essays: Essays) -> Columns:
    """Return the made columns, the last two of them called embeddings."""
    given = text_columns(essays)
    names = (*given.names[:-2], "emb_000", "emb_001")
    return Columns(names, given.values)


def test_weights_err_least_are_not_negative_and_sum_to_one() -> None:
    # With a + b = 1 the mean a*p0 + b*p1 is 4b; it errs least from 1 at b = 1/4.
    predictions = np.array([[0.0, 4.0], [0.0, 4.0]])
    np.testing.assert_allclose(convex_weights(predictions, np.array([1.0, 1.0])), [0.75, 0.25])
    # Below all predictions the least of them has all the weight.
    np.testing.assert_allclose(convex_weights(predictions, np.array([-3.0, -3.0])), [1, 0])


@pytest.mark.parametrize("second", ["embeddings", ("emb_0*",), ("emb_001", "*_000")])
def test_a_blend_is_the_mean_of_its_parts_each_on_its_own_columns(second: Any) -> None:
    chosen = blend(columns=("named", second))
    scorer = build_scorer(chosen, TrainingSettings(), context(columns=two_kinds))
    report = scorer.fit(TRAIN, DEV)
    assert report.curve["weights"] == [0.5, 0.5]

    def alone(first: int, last: int) -> Any:
        def some(essays: Essays) -> Columns:
            given = two_kinds(essays)
            return Columns(given.names[first:last], given.values[:, first:last])

        one = build_scorer(RidgeSettings(), TrainingSettings(), context(columns=some))
        one.fit(TRAIN, DEV)
        return one.predict(HELD_OUT.essays)

    expected = (alone(0, 4) + alone(4, 6)) / 2
    # Raw predictions have six decimals.
    np.testing.assert_allclose(scorer.predict(HELD_OUT.essays), expected, atol=1.01e-6)


def test_a_part_that_names_no_column_says_so() -> None:
    chosen = blend(columns=("all", ("emb_*",)))
    with pytest.raises(InputError, match=r"no column is named 'emb_\*'"):
        build_scorer(chosen, TrainingSettings(), context()).fit(TRAIN, DEV)


def test_weights_of_dev_prefer_the_part_that_knows() -> None:
    scorer = build_scorer(blend("dev"), TrainingSettings(), context(columns=two_kinds))
    known, noise = scorer.fit(TRAIN, DEV).curve["weights"]
    assert known > 0.8
    assert known + noise == pytest.approx(1)


def test_a_part_without_columns_says_so() -> None:
    scorer = build_scorer(blend(), TrainingSettings(), context())
    with pytest.raises(InputError, match="no feature columns"):
        scorer.fit(TRAIN, DEV)


@pytest.mark.parametrize("change", ["edited", "another"])
def test_a_part_that_is_not_the_blends_own_is_refused(tmp_path: Path, change: str) -> None:
    scorer = build_scorer(blend(columns=("all", "named")), TrainingSettings(), context())
    scorer.fit(TRAIN, DEV)
    scorer.save(tmp_path)
    path = tmp_path / "part-1" / "scorer.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    if change == "edited":
        card["facts"]["alpha"] = 11.0
    else:
        card["settings"] = {"family": "mean"}
    path.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(InputError, match="sha256"):
        load_scorer(tmp_path, context())


def test_transformers_of_two_encoders_are_refused() -> None:
    members = [{"scorer": {"family": "transformer", "model_name": name}} for name in ("a", "b")]
    with pytest.raises(ValidationError, match="one encoder"):
        BlendSettings.model_validate({"members": members})
