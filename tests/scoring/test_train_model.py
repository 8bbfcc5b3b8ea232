from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.models.context import Job
from essay_scoring.models.registry import load_scorer
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run
from essay_scoring.scoring.model import COLUMNS, SCORER, TrainedModel
from tests.families.test_families import EXECUTABLE, FAMILIES
from tests.scoring.made import TWELVE, new_essays, quick_config, train

# Reading an essay alone costs a full feature pipeline, so one family
# with columns is enough by default.
SLOW = {"catboost", "xgboost", "transformer", "blend"}
EACH = [
    pytest.param(family, marks=[pytest.mark.slow] if family in SLOW else []) for family in FAMILIES
]
TRUNK = ("scorer.cache_frozen_layers=true", "scorer.layer=2", "scorer.trained_layers=1")
BLEND = (
    (
        "scorer.members=[{scorer={family='mean'}}, {scorer={family='transformer', "
        "cache_frozen_layers=true, layer=2, trained_layers=1, epochs=1, max_length=128, "
        "chunk_overlap_tokens=8}}]"
    ),
)


@pytest.mark.parametrize("family", EACH)
def test_every_family_is_trained_and_scores_one_essay_like_many(
    family: str, tmp_path: Path, warm_cache: Path
) -> None:
    agrees(family, tmp_path, warm_cache)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [("training.ensemble=2",), TRUNK, BLEND])
def test_ensembles_and_cached_layers_of_transformers(
    overrides: tuple[str, ...], tmp_path: Path, warm_cache: Path
) -> None:
    agrees("blend" if overrides is BLEND else "transformer", tmp_path, warm_cache, *overrides)


@pytest.mark.slow
def test_an_ensemble_of_boosters(tmp_path: Path, warm_cache: Path) -> None:
    agrees("xgboost", tmp_path, warm_cache, "training.ensemble=2")


def agrees(family: str, folder: Path, cache: Path, *overrides: str) -> None:
    """Train; what the folder scores, essay by essay, is what its scorer predicts in one batch."""
    config = quick_config(family, *overrides)
    trained = train(config, folder, cache)
    require_intact(trained)
    assert not [path for path in trained.rglob("*") if path.suffix in EXECUTABLE]
    run = open_run(config, Workspace(folder / "runs", cache, folder), Progress())
    essays = run.prepared.train.essays.take(range(3))
    expected = load_scorer(trained / SCORER, run.context(Job())).predict(essays)
    model = TrainedModel(trained, cache)
    scored = model.score(essays)
    assert all(one.flags[-1] for one in scored)
    # An essay read alone has columns that differ by the rounding of bf16. A linear model moves as
    # little; in a tree an essay beside a threshold may fall on its other side.
    reach = 0.0 if family in ("ridge", "transformer", "length", "mean") else 0.1
    np.testing.assert_allclose([one.raw for one in scored], expected, rtol=2e-3, atol=reach)
    turned = model.score(essays.take([2, 0, 1]))
    assert [turned[at] for at in (1, 2, 0)] == scored
    before = set((cache / "tokens").rglob("*"))
    model.score(new_essays(1))
    assert set((cache / "tokens").rglob("*")) == before


def test_the_same_order_twice_does_nothing(tmp_path: Path) -> None:
    config = quick_config("length", *TWELVE)
    first = train(config, tmp_path, tmp_path / "cache")
    states = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert train(config, tmp_path, tmp_path / "cache") == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == states
    other = train(config, tmp_path, tmp_path / "cache", coverage=0.7)
    assert other.name != first.name
    assert len(list((tmp_path / "runs").glob("smoke-length-*"))) == 1


def test_training_goes_on_from_the_fit(tmp_path: Path) -> None:
    config = quick_config("length", *TWELVE)
    first = train(config, tmp_path, tmp_path / "cache")
    fit = first / "scorer" / "job.json"
    kept, cells = fit.stat().st_ino, TrainedModel(first).score(new_essays(3))
    for name in ("manifest.json", "interval.json", "flags.json"):
        (first / name).unlink()
    assert train(config, tmp_path, tmp_path / "cache") == first
    assert fit.stat().st_ino == kept
    assert TrainedModel(first).score(new_essays(3)) == cells


def test_the_folder_says_what_it_comes_from(length_model: Path) -> None:
    provenance, record = (
        read_json(length_model / f"{name}.json") for name in ("provenance", "model")
    )
    run = length_model.parents[1] / "runs" / record["cv_run"]
    assert record["cv_manifest_sha256"] == file_sha256(run / "manifest.json")
    assert provenance["cv_run"] == record["cv_run"]
    assert len(record["cutpoints"]) == 8
    interval = read_json(length_model / "interval.json")
    assert (interval["n_prompts"], interval["coverage"]) == (12, 0.8)
    measured = interval["measured"]
    assert 0.5 < measured["low"] <= measured["estimate"]
    assert {one["part"].split(":")[0] for one in measured["parts"]} >= {
        "prediction",
        "raters' score",
    }
    job = read_json(length_model / "scorer" / "job.json")
    assert job["n_fit"] + job["n_dev"] == 120


def test_no_essay_lies_in_a_model_folder(length_model: Path) -> None:
    run = open_run(
        quick_config("length", *TWELVE),
        Workspace(length_model.parents[1] / "runs", length_model.parents[1] / "cache", Path()),
        Progress(),
    )
    passages = [text[100:140] for text in run.prepared.train.essays.texts]
    for path in length_model.rglob("*"):
        if path.is_file():
            content = path.read_bytes().decode("utf-8", "replace")
            assert not any(passage in content for passage in passages), path


def test_columns_that_need_the_whole_prompt_are_refused(tmp_path: Path) -> None:
    config = quick_config("ridge", "features.standardise_by_prompt=true")
    with pytest.raises(InputError, match="a model scores single essays"):
        train(config, tmp_path, tmp_path / "cache")
    assert not list(tmp_path.iterdir())


def test_a_mapping_that_needs_the_whole_prompt_is_refused(tmp_path: Path) -> None:
    config = quick_config("length", *TWELVE, "training.mapping=mean_sigma_by_prompt")
    with pytest.raises(InputError, match="needs all essays of a prompt at once"):
        train(config, tmp_path, tmp_path / "cache")
    assert not list(tmp_path.iterdir())


def test_a_linked_model_scores_by_the_line_of_its_held_out_predictions(tmp_path: Path) -> None:
    config = quick_config("length", *TWELVE, "training.mapping=mean_sigma_lfo")
    model = TrainedModel(train(config, tmp_path, tmp_path / "cache"))
    linking, scale = model.record.linking, model.scales.shared
    assert linking is not None
    assert scale is not None
    gain = linking.spread_on(scale) / linking.raw_spread
    scored = model.score(new_essays(8))
    for one in scored:
        raw = float(scale.to_training(np.array([one.raw]))[0])
        at = linking.true_mean + gain * (raw - linking.raw_mean)
        # A scale from 1 to 5 has the points of the training scale.
        assert one.band == scale.round(np.array([scale.low + at]))[0]
    assert len({one.band for one in scored}) > 1


def test_each_prompt_keeps_its_own_scale(tmp_path: Path) -> None:
    essays = new_essays(60)
    prompts = [f"topic {row % 6}" for row in range(60)]
    with (tmp_path / "asap.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["essay_id", "essay", "essay_set", "domain1_score"])
        for row, text in enumerate(essays.texts):
            top = 12 if row % 2 else 3
            share = min(1.0, len(text) / 2500)
            writer.writerow([row, text, prompts[row], round(share * top)])
    scales = [f"'topic {at}'={{low=0, high={12 if at % 2 else 3}}}" for at in range(6)]
    columns = "id='essay_id', text='essay', prompt='essay_set', score='domain1_score'"
    corpus = (
        f"data.corpus={{kind='table', path='asap.csv', columns={{{columns}}}, "
        f"scales={{by_prompt={{{', '.join(scales)}}}}}}}"
    )
    config = quick_config("length", "data={}", corpus, "training.mapping=round_half_band")
    model = TrainedModel(train(config, tmp_path, tmp_path / "cache"))
    assert model.record.cutpoints is None
    wide, narrow = (
        model.score(essays.take([0]).__class__(("x",), (essays.texts[0],), (prompt,)))[0]
        for prompt in ("topic 1", "topic 0")
    )
    assert wide.raw == pytest.approx(4 * narrow.raw, abs=5e-4)  # Both have four decimals.
    for one, top in ((wide, 12), (narrow, 3)):
        assert {one.low, one.band, one.high} <= set(range(top + 1))
        assert one.low <= one.band <= one.high
    with pytest.raises(InputError, match="has no score scale"):
        model.score(essays.take([0]))
    assert len(wide.cells()) == len(COLUMNS)
