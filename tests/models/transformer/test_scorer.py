"""The family on a tiny random encoder: fitted, saved, loaded, gone on with, stopped."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essay_scoring.core.errors import InputError, MissingExtraError, NotFiniteError
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.context import Job, ScorerContext
from essay_scoring.models.registry import build_scorer, load_scorer
from essay_scoring.models.scorer_settings import TrainingSettings, TransformerSettings
from essay_scoring.models.transformer import network, scorer
from essay_scoring.models.transformer.network import EssayNetwork
from essay_scoring.models.transformer.scorer import TransformerScorer
from tests.features.tiny_encoders import WIDTH, make_encoder
from tests.models.made import context, error, files_of, made_essays

TRAIN, DEV, HELD_OUT = made_essays(40), made_essays(16, seed=1), made_essays(10, seed=2)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def tiny(encoder: EncoderFolder, **changes: Any) -> TransformerSettings:
    given: dict[str, Any] = {
        "model_name": str(encoder.path),
        "sha256": encoder.sha256,
        "max_length": 32,
        "chunk_overlap_tokens": 4,
        "layer": 2,
        "lora": {"rank": 2, "alpha": 4.0},
        "epochs": 2,
        "batch_size": 8,
        "accumulation": 1,
        "learning_rate": 0.01,
        "head_learning_rate": 0.01,
        "mixed_precision": "none",
    }
    return TransformerSettings(**(given | changes))


def at(cache: Path, work: Path | None = None) -> ScorerContext:
    return replace(context(), cache=cache, job=Job("fold-3", work))


def fitted(encoder: EncoderFolder, cache: Path, **changes: Any) -> TransformerScorer:
    training = TrainingSettings(weighting="sqrt_inv_freq")
    made = TransformerScorer(tiny(encoder, **changes), training, at(cache))
    made.fit(TRAIN, DEV)
    return made


def test_it_learns_and_reports_epochs(encoder: EncoderFolder, tmp_path: Path) -> None:
    chosen = tiny(encoder, epochs=8, patience=8, use_lora=False)
    made = TransformerScorer(chosen, TrainingSettings(), at(tmp_path))
    report = made.fit(TRAIN, DEV)
    assert report.rounds == 1 + int(np.argmin(report.curve["dev"]))
    assert {len(losses) for losses in report.curve.values()} == {8}
    raw = made.predict(HELD_OUT.essays)
    mean = np.full(len(HELD_OUT), TRAIN.scores.mean())
    assert error(raw, HELD_OUT) < 0.9 * error(mean, HELD_OUT)


CASES: dict[str, dict[str, Any]] = {
    "lora": {},
    "full": {"use_lora": False},
    "mix": {"reading": "mix", "pooling": "attention", "trained_layers": 1},
    "frozen_layers": {"trained_layers": 1, "cache_frozen_layers": True},
    "bf16": {"mixed_precision": "bf16"},
    "dro": {"invariance": {"method": "group_dro"}},
}


@pytest.mark.parametrize("case", CASES)
def test_a_saved_scorer_predicts_the_same(
    case: str, encoder: EncoderFolder, tmp_path: Path
) -> None:
    made = fitted(encoder, tmp_path / "cache", **CASES[case])
    made.save(tmp_path / "model")
    loaded = load_scorer(tmp_path / "model", at(tmp_path / "cache"))
    expected = made.predict(HELD_OUT.essays)
    np.testing.assert_array_equal(loaded.predict(HELD_OUT.essays), expected, strict=True)
    again = fitted(encoder, tmp_path / "other", **CASES[case])
    again.save(tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(tmp_path / "model")
    record = read_json(tmp_path / "model" / "training.json")
    precision = "bf16" if case == "bf16" else "fp32"
    assert record == {"schema": 1, "device": "cpu", "precision": precision}


def test_predictions_come_in_the_order_of_the_essays(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    made = fitted(encoder, tmp_path)
    order = np.random.default_rng(0).permutation(len(HELD_OUT))
    shuffled = HELD_OUT.essays.take(order)
    expected = made.predict(HELD_OUT.essays)[order]
    np.testing.assert_allclose(made.predict(shuffled), expected, rtol=1e-5)
    vectors = made.representations(HELD_OUT.essays)
    assert vectors.shape == (len(HELD_OUT), WIDTH)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(made.representations(shuffled), vectors[order], atol=1e-5)


def test_traits_are_learnt_beside_the_score(encoder: EncoderFolder, tmp_path: Path) -> None:
    rated = {"Syntax": TRAIN.scores.copy(), "Grammar": TRAIN.scores[::-1].copy()}
    rated["Syntax"][::2] = np.nan
    train = replace(TRAIN, traits=rated)
    made = TransformerScorer(tiny(encoder, trait_weight=0.5), TrainingSettings(), at(tmp_path))
    made.fit(train, replace(DEV, traits=dict.fromkeys(rated, DEV.scores)))
    assert made.facts["heads"] == 3
    assert made.predict(HELD_OUT.essays).shape == (len(HELD_OUT),)
    bare = TransformerScorer(tiny(encoder, trait_weight=0.5), TrainingSettings(), at(tmp_path))
    with pytest.raises(InputError, match="no analytic scores"):
        bare.fit(TRAIN, DEV)


def test_an_ensemble_goes_on_from_each_member_s_checkpoint(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    def predicted(work: Path) -> tuple[FloatArray, list[str]]:
        stages: list[str] = []
        progress = Progress(lambda event: stages.append(event.stage))
        given = replace(at(tmp_path / "cache", work), progress=progress)
        made = build_scorer(tiny(encoder), TrainingSettings(ensemble=2), given)
        made.fit(TRAIN, DEV)
        return made.predict(HELD_OUT.essays), sorted({name for name in stages if "epoch" in name})

    expected, trained = predicted(tmp_path / "whole")
    assert trained == [f"fold-3, member {m} epoch {e}" for m in (0, 1) for e in (1, 2)]
    # As after a kill in the second member's first epoch, the first being done.
    shutil.copytree(tmp_path / "whole" / "member-0", tmp_path / "cut" / "member-0")
    resumed, trained = predicted(tmp_path / "cut")
    np.testing.assert_array_equal(resumed, expected)
    assert trained == ["fold-3, member 1 epoch 1", "fold-3, member 1 epoch 2"]


@pytest.mark.parametrize("package", ["torch", "peft"])
def test_a_missing_package_names_the_install_line(
    package: str, encoder: EncoderFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    for module in (scorer, importlib.util):
        monkeypatch.setattr(
            module, "find_spec", lambda name: None if name == package else real(name)
        )
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*essay-scoring\[transformer\]"):
        fitted(encoder, tmp_path)


def test_an_encoder_without_a_pinned_hash_says_which_key_to_set(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f'set scorer.sha256 = "{encoder.sha256}"'):
        fitted(encoder, tmp_path, sha256=None)


def test_a_network_that_turns_bad_stops_predicting_with_the_prompts(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    made = fitted(encoder, tmp_path)
    assert made.network is not None
    with torch.no_grad():
        made.network.head.bias[0] = float("inf")
    with pytest.raises(NotFiniteError, match=r"fold-3, predicting, prompt 'p0', 'p1', up to \d+"):
        made.predict(HELD_OUT.essays)


def test_the_canary_is_sent_without_training(
    encoder: EncoderFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = TransformerScorer(tiny(encoder), TrainingSettings(), at(tmp_path))
    assert made.canary(TRAIN, DEV).line().startswith("canary ok precision=fp32 device=cpu loss=")
    build = network.build_network

    def poisoned(*arguments: Any, **named: Any) -> EssayNetwork:
        built = build(*arguments, **named)
        with torch.no_grad():
            built.backbone.layers[1].output.dense.weight[0, 0] = float("nan")
        return built

    monkeypatch.setattr(network, "build_network", poisoned)
    with pytest.raises(NotFiniteError, match="fold-3, canary before training, prompt 'p0'"):
        made.canary(TRAIN, DEV)
