"""Trees whose numbers a native library would follow out of its memory are refused before it."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.contracts import Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.models.foreign_trees import check_catboost, checked_xgboost
from essay_scoring.models.registry import build_scorer, load_scorer
from essay_scoring.models.scorer_settings import (
    CatBoostSettings,
    Mode,
    TrainingSettings,
    XGBoostSettings,
)
from tests.models.made import context, made_essays

Edit = Callable[[Any], object]


TRAIN, DEV, HELD_OUT = made_essays(90), made_essays(40, seed=1), made_essays(30, seed=2)


def fitted(family: str, mode: Mode = "regression") -> Scorer:
    chosen = {"xgboost": XGBoostSettings, "catboost": CatBoostSettings}[family]
    scorer = build_scorer(chosen(mode=mode, rounds=20), TrainingSettings(), context())
    scorer.fit(TRAIN, DEV)
    return scorer


def tree(model: Any) -> Any:
    return model["learner"]["gradient_booster"]["model"]["trees"][0]


def booster(model: Any) -> Any:
    return model["learner"]["gradient_booster"]["model"]


EDITS: dict[str, Edit] = {
    "a column out of range": lambda m: tree(m)["split_indices"].__setitem__(0, 10**6),
    "a column below zero": lambda m: tree(m)["split_indices"].__setitem__(0, -5),
    "a child out of range": lambda m: tree(m)["left_children"].__setitem__(0, 10**6),
    "a circle": lambda m: tree(m)["left_children"].__setitem__(1, 0),
    "its own child": lambda m: tree(m)["right_children"].__setitem__(0, 0),
    "one leaf twice": lambda m: tree(m)["right_children"].__setitem__(
        0, tree(m)["left_children"][0]
    ),
    "a short array": lambda m: tree(m)["split_conditions"].pop(),
    "categories": lambda m: tree(m)["split_type"].__setitem__(0, 1),
    "text for a number": lambda m: tree(m)["split_conditions"].__setitem__(0, "x"),
    "too few trees": lambda m: booster(m)["trees"].pop(),
    "rounds out of range": lambda m: booster(m)["iteration_indptr"].__setitem__(-1, 10**6),
    "an output out of range": lambda m: booster(m)["tree_info"].__setitem__(0, 99),
    "other outputs": lambda m: m["learner"]["learner_model_param"].update(num_class="7"),
    "no trees": lambda m: m["learner"].pop("gradient_booster"),
    "a list for a table": lambda m: m.update(learner=[1]),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    fitted("xgboost").save(folder)
    return folder


@pytest.mark.parametrize("edit", EDITS)
def test_a_model_that_was_signed_again_is_refused(edit: str, saved: Path, tmp_path: Path) -> None:
    card, model = read_json(saved / "scorer.json"), json.loads((saved / "model.json").read_bytes())
    EDITS[edit](model)
    (tmp_path / "model.json").write_text(json.dumps(model))
    card["files"]["model.json"] = file_sha256(tmp_path / "model.json")
    write_json(tmp_path / "scorer.json", card)
    with pytest.raises(InputError, match=r"model\.json: not such trees on"):
        load_scorer(tmp_path, context())


@pytest.mark.parametrize("mode", ["regression", "ordinal_multiclass_expected"])
def test_what_was_checked_predicts_the_same(mode: Mode, tmp_path: Path) -> None:
    scorer = fitted("xgboost", mode=mode)
    scorer.save(tmp_path)
    again = load_scorer(tmp_path, context())
    assert np.array_equal(again.predict(HELD_OUT.essays), scorer.predict(HELD_OUT.essays))


def test_mangled_bytes_of_either_library_raise_value_error_alone(tmp_path: Path) -> None:
    pytest.importorskip("catboost")
    fitted("catboost").save(tmp_path)
    fitted("xgboost").save(tmp_path / "x")
    data, other = (tmp_path / "model.cbm").read_bytes(), (tmp_path / "x/model.json").read_bytes()
    columns = len(read_json(tmp_path / "scorer.json")["columns"])
    check_catboost(data, columns, 0)
    checked_xgboost(other, columns, 0)
    rng = random.Random(7)
    for _ in range(6):
        bad = bytearray(data)
        for _ in range(8):
            at = rng.randrange(16, len(bad) - 4)
            bad[at : at + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\0\0\0\0", rng.randbytes(4)])
        with contextlib.suppress(ValueError):
            check_catboost(bytes(bad), columns, 0)
    for _ in range(300):
        bad = bytearray(other)
        for _ in range(3):
            bad[rng.randrange(len(bad))] = rng.choice(b'0123456789-,[]{}":.e')
        with contextlib.suppress(ValueError):
            checked_xgboost(bytes(bad), columns, 0)
