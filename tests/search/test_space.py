from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import InputError
from essay_scoring.records.search_settings import Choice, FloatRange, IntRange
from essay_scoring.search.space import Space, config_fingerprint, grid_cells
from tests.conftest import smoke_config

BASE = smoke_config("xgboost")
DEPTH = IntRange(kind="int", low=2, high=6)
RATE = FloatRange(kind="float", low=0.01, high=0.3, log=True)


def space(**dimensions: object) -> Space:
    """Return a space; a double underscore stands for the dot of a path."""
    return Space(BASE, {k.replace("__", "."): v for k, v in dimensions.items()})  # type: ignore[misc]


def test_parameters_become_a_whole_config() -> None:
    features = Choice(
        kind="choice",
        values={"all": {"drop": ()}, "less": {"drop": ["smog", "ari"]}},
    )
    made = space(scorer__max_depth=DEPTH, scorer__learning_rate=RATE, features=features)
    config = made.config({"scorer.max_depth": 5, "scorer.learning_rate": 0.2, "features": "less"})
    assert config.scorer.model_dump()["max_depth"] == 5
    assert config.scorer.model_dump()["learning_rate"] == 0.2
    assert config.features.drop == ("smog", "ari")
    assert config.features.sets == BASE.features.sets
    assert config.data == BASE.data


@settings(max_examples=50)
@given(st.floats(min_value=0.01, max_value=0.3))
def test_rounding_keeps_four_digits_and_the_range(value: float) -> None:
    rounded = space(scorer__learning_rate=RATE).rounded({"scorer.learning_rate": value})
    found = rounded["scorer.learning_rate"]
    assert 0.01 <= found <= 0.3
    assert abs(found - value) <= value * 5e-4
    assert float(f"{found:.4g}") == found


@pytest.mark.parametrize(
    ("path", "dimension", "message"),
    [
        ("data.splits.seed", DEPTH, "never the data"),
        ("seed", DEPTH, "never the data"),
        ("evaluation.min_prompt_n", DEPTH, "never the data"),
        ("scorer.family", Choice(kind="choice", values=("ridge", "xgboost")), "one family"),
        ("scorer.max_depht", DEPTH, "did you mean 'max_depth'"),
        ("scorer.max_depth", IntRange(kind="int", low=1, high=40), "less than or equal to 16"),
        ("scorer.subsample", FloatRange(kind="float", low=0.0, high=1.0), "value 0.0"),
        (
            "training.mapping",
            Choice(kind="choice", values=("round_half_band", "qwk_cutpoints_inner")),
            "fits cut-points on the folds it selects on",
        ),
    ],
)
def test_an_infeasible_space_is_refused_by_its_key(
    path: str, dimension: object, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        Space(BASE, {path: dimension}).check()  # type: ignore[dict-item]
    assert message in caught.value.line()
    assert f"space.{path}" in caught.value.line()


def test_the_fingerprint_is_that_of_the_predictions() -> None:
    """Neither names nor unused settings, nor 5 instead of 5.0, make another configuration."""
    same = [
        "name=other",
        "baselines=[]",
        "evaluation.replicates=500",
        "scorer.reg_lambda=5",
        "training.weight_cap=2.0",
        "training.weight_power=0.7",
    ]
    assert BASE.training.weighting == "none"
    for override in same:
        assert config_fingerprint(smoke_config("xgboost", override)) == config_fingerprint(BASE)
    weighted = "training.weighting=sqrt_inv_freq"
    for override in ("seed=1", "scorer.reg_lambda=6", "training.dev_share=0.2", weighted):
        assert config_fingerprint(smoke_config("xgboost", override)) != config_fingerprint(BASE)
    one, other = (
        smoke_config("xgboost", weighted, f"training.weight_cap={cap}") for cap in (2.0, 3.0)
    )
    assert config_fingerprint(one) != config_fingerprint(other)


def test_a_grid_has_every_cell_once_the_last_axis_fastest() -> None:
    cells = grid_cells(BASE, {"scorer.max_depth": [3, 4], "scorer.reg_alpha": [0, 1]})
    pairs = [(p["scorer.max_depth"], p["scorer.reg_alpha"]) for p, _ in cells]
    assert pairs == [(3, 0), (3, 1), (4, 0), (4, 1)]
    assert [c.scorer.model_dump()["max_depth"] for _, c in cells] == [3, 3, 4, 4]
    with pytest.raises(InputError, match=r"grid.*max_dept"):
        grid_cells(BASE, {"scorer.max_dept": [3]})
