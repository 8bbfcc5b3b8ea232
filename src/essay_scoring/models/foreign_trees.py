"""The structure of saved trees, checked before a native library follows their indices.

XGBoost and CatBoost trust the numbers of a model file: an index out of range crashes the process,
and a circle of nodes never ends. XGBoost's JSON is checked here. CatBoost's format is its own, so
another process, bounded in time and memory, reads it first and its JSON is checked there.
"""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np

CHECK_SECONDS, _CHECK_BYTES = 60, 8 << 30
_whole: set[tuple[bytes, int, int]] = set()
_NONE = 2**31 - 1
_OBJECTIVES = {0: "reg:squarederror"}
_PER_NODE = (
    "base_weights",
    "default_left",
    "left_children",
    "loss_changes",
    "parents",
    "right_children",
    "split_conditions",
    "split_indices",
    "split_type",
    "sum_hessian",
)
_EMPTY = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def checked_xgboost(data: bytes, n_columns: int, n_classes: int) -> bytes:
    """Return XGBoost's JSON of gradient boosted trees as it was checked; ValueError for any other.

    `n_classes` 0 means regression. Written anew, so that no key stands there twice.
    """
    try:
        model = json.loads(data)
        _check_xgboost(model["learner"], n_columns, max(1, n_classes), n_classes)
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ValueError("its parts are not those of trees") from None
    return json.dumps(model, separators=(",", ":"), allow_nan=False).encode()


def _check_xgboost(learner: Any, n_columns: int, outputs: int, n_classes: int) -> None:
    shape, booster = learner["learner_model_param"], learner["gradient_booster"]
    trees, model = booster["model"]["trees"], booster["model"]
    _require(booster["name"] == "gbtree", "not gradient boosted trees")
    _require(
        learner["objective"]["name"] == _OBJECTIVES.get(n_classes, "multi:softprob"), "objective"
    )
    if n_classes:
        told = learner["objective"]["softmax_multiclass_param"]["num_class"]
        _require(told == str(n_classes), "num_class")
    for name, value in (("num_feature", n_columns), ("num_class", n_classes), ("num_target", 1)):
        _require(shape[name] == str(value), f"{name} is not {value}")
    bases = [float(base) for base in str(shape["base_score"]).strip("[]").split(",")]
    _require(len(bases) in (1, outputs) and all(map(math.isfinite, bases)), "base_score")
    _require(len(learner["feature_names"]) in (0, n_columns), "feature_names")
    _require(len(learner["feature_types"]) in (0, n_columns), "feature_types")
    for parts in model.get("cats", {}).values():
        _require(parts == [], "categories")
    sizes = model["gbtree_model_param"]
    _require(sizes["num_trees"] == str(len(trees)), "num_trees")
    _require(sizes["num_parallel_tree"] == "1", "num_parallel_tree")
    whole = list(range(0, len(trees) + 1, outputs))
    _require(model["iteration_indptr"] == whole and whole[-1] == len(trees), "iteration_indptr")
    _require(model["tree_info"] == [*range(outputs)] * (len(whole) - 1), "tree_info")
    for number, tree in enumerate(trees):
        _require(tree["id"] == number, "id")
        _check_tree(tree, n_columns)


def _check_tree(tree: Any, n_columns: int) -> None:
    """Raise ValueError unless every node hangs on one other, the root on none."""
    nodes = len(tree["left_children"])
    sizes = tree["tree_param"]
    told = (sizes["num_nodes"], sizes["num_feature"], sizes["size_leaf_vector"])
    _require(nodes > 0 and told == (str(nodes), str(n_columns), "1"), "tree_param")
    _require(all(tree[name] == [] for name in _EMPTY), "categories")
    arrays = {name: np.asarray(tree[name], dtype=np.float64) for name in _PER_NODE}
    _require(all(array.shape == (nodes,) for array in arrays.values()), "arrays of a tree")
    _require(all(np.isfinite(array).all() for array in arrays.values()), "numbers of a tree")
    _require(not arrays["split_type"].any(), "split_type")
    split = arrays["split_indices"]
    _require(bool(((split >= 0) & (split < n_columns) & (split % 1 == 0)).all()), "split_indices")
    left, right = tree["left_children"], tree["right_children"]
    waiting, seen = [0], 0
    _require(tree["parents"][0] == _NONE, "parents")
    while waiting:
        node = waiting.pop()
        seen += 1
        children = (left[node], right[node])
        if children == (-1, -1):
            continue
        for child in children:
            _require(type(child) is int and 0 < child < nodes, "children")
            _require(tree["parents"][child] == node and left[node] != right[node], "parents")
            waiting.append(child)
        _require(seen <= nodes, "children")
    # A node that was pruned away is kept, and hangs on none.
    _require(seen == nodes - int(sizes["num_deleted"]), "children")


def check_catboost(data: bytes, n_columns: int, n_classes: int) -> None:
    """Raise ValueError unless another process reads CatBoost's trees and finds them whole."""
    asked = (hashlib.sha256(data).digest(), n_columns, n_classes)
    if asked in _whole:
        return
    words = [sys.executable, "-m", __name__, str(n_columns), str(n_classes)]
    try:
        done = subprocess.run(
            words, input=data, capture_output=True, check=False, timeout=CHECK_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"not read within {CHECK_SECONDS} s") from None
    if done.returncode:
        raise ValueError("they are not whole")
    _whole.add(asked)


def _check_json(model: Any, n_columns: int, outputs: int) -> None:
    """Raise ValueError unless CatBoost's JSON is of symmetric trees on these columns."""
    features = model["features_info"]
    columns = features["float_features"]
    _require(set(features) == {"float_features"}, "columns that are no numbers")
    _require([c["flat_feature_index"] for c in columns] == [*range(n_columns)], "columns")
    borders = sum(len(column["borders"] or ()) for column in columns)
    for tree in model["oblivious_trees"]:
        splits = tree["splits"] or []
        _require(len(tree["leaf_values"]) == outputs << len(splits), "leaf_values")
        for split in splits:
            _require(split["split_type"] == "FloatFeature", "split_type")
            _require(0 <= split["split_index"] < borders, "split_index")
            border = columns[split["float_feature_index"]]["borders"]
            _require(split["border"] in border, "border")
    _require(len(model["scale_and_bias"][1]) in (1, outputs), "bias")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what}: not as trees of this program are")


def _main() -> None:
    import resource
    import tempfile
    from pathlib import Path

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _CHECK_BYTES if hard == resource.RLIM_INFINITY else min(hard, _CHECK_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import catboost

    n_columns, n_classes = map(int, sys.argv[1:])
    booster = catboost.CatBoost()
    booster.load_model(blob=sys.stdin.buffer.read(), format="cbm")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        booster.save_model(str(path), format="json")
        _check_json(json.loads(path.read_bytes()), n_columns, max(1, n_classes))
    rows = np.concatenate([np.full((1, n_columns), v) for v in (0.0, -1e9, 1e9)])
    booster.predict(rows, prediction_type="RawFormulaVal", thread_count=1)


if __name__ == "__main__":
    _main()
