"""Every family: built from settings, saved, loaded, and refused when tampered with."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from essay_scoring.core.contracts import Columns, Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.models.registry import build_scorer, load_scorer
from essay_scoring.models.scorer_settings import ScorerSettings, TrainingSettings
from tests.features.tiny_encoders import encoder_settings, make_encoder

from .made import context, files_of, made_essays, text_columns

UNION = get_args(get_args(ScorerSettings)[0])
FAMILIES = {family.model_fields["family"].default: family for family in UNION}
EVERY = pytest.mark.parametrize("family", FAMILIES)
COLUMNAR = pytest.mark.parametrize("family", ["ridge", "xgboost", "catboost"])
QUICK: dict[str, dict[str, Any]] = {
    "xgboost": {"rounds": 20, "min_child_weight": 1},
    "catboost": {"rounds": 20},
    "transformer": {
        "layer": 1,
        "max_length": 32,
        "chunk_overlap_tokens": 8,
        "epochs": 1,
        "mixed_precision": "none",
    },
    "blend": {
        "weights": "dev",
        "members": [
            {"scorer": {"family": "ridge"}, "columns": "named"},
            {"scorer": {"family": "catboost", "rounds": 20}},
        ],
    },
}
TRAIN, DEV, HELD_OUT = made_essays(90), made_essays(40, seed=1), made_essays(30, seed=2)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folder `cache` of a context be a fresh one."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(scope="module", autouse=True)
def _tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let transformers read with a tiny encoder; tests of whole families read with a real one."""
    encoder = encoder_settings(make_encoder(tmp_path_factory.mktemp("encoder")))
    QUICK["transformer"] |= {"model_name": encoder.name, "sha256": encoder.sha256}


def fitted(family: str, ensemble: int = 1, **changes: Any) -> Scorer:
    settings = FAMILIES[family](**(QUICK.get(family, {}) | changes))
    training = TrainingSettings(ensemble=ensemble, weighting="sqrt_inv_freq")
    scorer = build_scorer(settings, training, context())
    scorer.fit(TRAIN, DEV)
    return scorer


def edit_card(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "scorer.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    change(card)
    path.write_text(json.dumps(card), encoding="utf-8")


@EVERY
@pytest.mark.parametrize("ensemble", [1, 2])
def test_a_saved_scorer_predicts_the_same(family: str, ensemble: int, tmp_path: Path) -> None:
    scorer = fitted(family, ensemble)
    scorer.save(tmp_path)
    loaded = load_scorer(tmp_path, context(seed=7))
    np.testing.assert_array_equal(
        loaded.predict(HELD_OUT.essays), scorer.predict(HELD_OUT.essays), strict=True
    )
    loaded.save(tmp_path / "again")
    again = load_scorer(tmp_path / "again", context())
    np.testing.assert_array_equal(again.predict(HELD_OUT.essays), scorer.predict(HELD_OUT.essays))
    cards = [json.loads((f / "scorer.json").read_text()) for f in (tmp_path, tmp_path / "again")]
    assert {**cards[0], "files": 0} == {**cards[1], "files": 0}


@EVERY
def test_equal_fits_write_equal_bytes(family: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        fitted(family).save(tmp_path / name)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


@EVERY
def test_essays_own_weights_count_by_their_ratios(family: str) -> None:
    settings = FAMILIES[family](**QUICK.get(family, {}))

    def predicted(weights: FloatArray | None) -> FloatArray:
        scorer = build_scorer(settings, TrainingSettings(), context())
        scorer.fit(replace(TRAIN, weights=weights), DEV)
        return scorer.predict(HELD_OUT.essays)

    plain = predicted(None)
    np.testing.assert_array_equal(predicted(np.full(len(TRAIN), 4.0)), plain)
    # Essays of high scores stand for many more: what is predicted rises.
    higher = predicted(np.where(TRAIN.scores > 3, 8.0, 0.5))
    assert higher.mean() > plain.mean()


@EVERY
def test_the_card_carries_every_hyperparameter(family: str, tmp_path: Path) -> None:
    """Hyperparameters that do not reach the artifact cannot be reproduced."""
    fitted(family).save(tmp_path)
    card = json.loads((tmp_path / "scorer.json").read_text(encoding="utf-8"))
    assert card["settings"] == FAMILIES[family](**QUICK.get(family, {})).model_dump(mode="json")
    assert card["training"] == TrainingSettings(weighting="sqrt_inv_freq").model_dump(mode="json")
    assert (card["format"], card["seed"]) == (1, 42)
    assert set(files_of(tmp_path)) == {"scorer.json", *card["files"]}


@EVERY
def test_no_essay_text_is_saved(family: str, tmp_path: Path) -> None:
    fitted(family).save(tmp_path)
    start = TRAIN.essays.texts[0][:30].encode()
    assert not any(start in data for data in files_of(tmp_path).values())


@COLUMNAR
def test_columns_that_differ_are_refused_in_one_line(family: str, tmp_path: Path) -> None:
    fitted(family).save(tmp_path)

    def renamed(essays: Essays) -> Columns:
        columns = text_columns(essays)
        return Columns(("good_share", "words", *columns.names[2:]), columns.values)

    def reordered(essays: Essays) -> Columns:
        columns = text_columns(essays)
        return Columns(columns.names[::-1], columns.values[:, ::-1])

    for source, said in ((renamed, "missing 'length'; new 'words'"), (reordered, "another order")):
        scorer = load_scorer(tmp_path, context(columns=source))
        with pytest.raises(InputError, match=said) as caught:
            scorer.predict(HELD_OUT.essays)
        assert "\n" not in str(caught.value)


TAMPERED: dict[str, Callable[[dict[str, Any]], Any]] = {
    r"format 2 .* is unknown": lambda card: card.update(format=2),
    r"format True .* is unknown": lambda card: card.update(format=True),
    r"format None .* is unknown": lambda card: card.pop("format"),
    r"settings: .*'perceptron'": lambda card: card["settings"].update(family="perceptron"),
    r"settings.ridge.depth: Extra": lambda card: card["settings"].update(depth=3),
    r"training: Field required": lambda card: card.pop("training"),
    r"evil: Extra": lambda card: card.update(evil="rm"),
    r"model.safetensors: its sha256": lambda card: card["files"].clear(),
    r"linear model of 5 columns": lambda card: card["columns"].pop(),
    r"facts.alpha": lambda card: card["facts"].update(alpha=float("nan")),
    r"member-0.*no such file": lambda card: card.update(members=2),
    r"members: Input should be less": lambda card: card.update(members=10**9),
}


@pytest.mark.parametrize("said", TAMPERED)
def test_a_tampered_card_gives_one_line(said: str, tmp_path: Path) -> None:
    fitted("ridge").save(tmp_path)
    edit_card(tmp_path, TAMPERED[said])
    with pytest.raises(InputError, match=said) as caught:
        load_scorer(tmp_path, context())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1, 2]", "null", "{", "\ufeff{}"])
def test_a_card_that_is_no_card_gives_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "scorer.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"scorer\.json"):
        load_scorer(tmp_path, context())
    with pytest.raises(InputError, match="no such file"):
        load_scorer(tmp_path / "absent", context())


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


@COLUMNAR
@pytest.mark.parametrize("told", [True, False])
def test_loading_runs_no_code(family: str, told: bool, tmp_path: Path) -> None:
    fitted(family).save(tmp_path)
    (name,) = set(files_of(tmp_path)) - {"scorer.json"}
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    if told:  # a forger who also corrects the hash
        new = file_sha256(tmp_path / name)
        edit_card(tmp_path, lambda card: card["files"].update({name: new}))
    with pytest.raises(InputError, match=name):
        load_scorer(tmp_path, context())
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("family", ["xgboost", "catboost"])
def test_trees_of_other_columns_or_classes_are_refused(family: str, tmp_path: Path) -> None:
    fitted(family, mode="ordinal_multiclass_expected").save(tmp_path)
    other = ScoreScales(shared=ScoreScale(low=1, high=6))
    with pytest.raises(InputError, match="9 labels, but this one has 6"):
        load_scorer(tmp_path, context(other))
    edit_card(tmp_path, lambda card: card["columns"].pop())
    with pytest.raises(InputError, match="not such trees on 5 columns"):
        load_scorer(tmp_path, context())


def test_an_ensemble_is_the_mean_of_its_seeds() -> None:
    raw = []
    for seed in (42, 43, 44):
        member = build_scorer(FAMILIES["xgboost"](), TrainingSettings(), context(seed=seed))
        member.fit(TRAIN, DEV)
        raw.append(member.predict(HELD_OUT.essays))
    assert (raw[0] != raw[1]).any()
    ensemble = build_scorer(FAMILIES["xgboost"](), TrainingSettings(ensemble=3), context())
    report = ensemble.fit(TRAIN, DEV)
    np.testing.assert_allclose(ensemble.predict(HELD_OUT.essays), sum(raw) / 3, rtol=1e-14)
    assert report.rounds is not None
    assert report.rounds <= len(report.curve["dev"]) == len(report.curve["train"])


def test_an_ensemble_of_one_is_the_plain_scorer(tmp_path: Path) -> None:
    fitted("ridge", ensemble=1).save(tmp_path)
    assert set(files_of(tmp_path)) == {"scorer.json", "model.safetensors"}


def test_a_foreign_member_is_refused(tmp_path: Path) -> None:
    fitted("ridge", ensemble=2).save(tmp_path)
    fitted("mean").save(tmp_path / "member-1")
    with pytest.raises(InputError, match=r"member-1.*not a member"):
        load_scorer(tmp_path, context())
