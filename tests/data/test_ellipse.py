"""The counts of the real essays: marker `corpus`, skipped where the files are absent."""

from __future__ import annotations

from collections import Counter

import pytest

from essay_scoring.core.progress import Progress
from essay_scoring.core.settings import build_settings, read_toml
from essay_scoring.data.corpora import data_folder
from essay_scoring.data.data_settings import DataSettings, EllipseCorpus
from essay_scoring.data.locked import open_locked
from essay_scoring.data.preparation import PreparedData, prepare
from essay_scoring.data.splits import SCHEMES, read_splits
from essay_scoring.records.presets import settings_file

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    corpus, folder = EllipseCorpus(), data_folder()
    if not (folder / corpus.train).is_file():
        pytest.skip(f"the real essays are not in {folder}: set ESSAY_SCORING_DATA")
    shipped = read_toml(settings_file("preset:ellipse/data"))["data"]
    settings = build_settings(DataSettings, shipped, "preset:ellipse/data")
    return prepare(settings, folder, tmp_path_factory.mktemp("cache"), Progress())


def test_counts_at_every_step(prepared: PreparedData) -> None:
    assert prepared.manifest["counts"] == {
        "train": {"read": 1745, "after_exclusions": 1625, "after_window": 1511},
        "locked": {"read": 306, "after_exclusions": 285, "after_window": 264},
    }
    assert (len(prepared.train), len(prepared.locked_ids)) == (1511, 264)


def test_prompts_and_labels(prepared: PreparedData) -> None:
    prompts = Counter(prepared.train.prompts)
    assert len(prompts) == 32
    assert sum(n >= 30 for n in prompts.values()) == 17
    labels = Counter(prepared.train.scores.tolist())
    assert labels == {1.5: 5, 2: 114, 2.5: 236, 3: 574, 3.5: 317, 4: 220, 4.5: 38, 5: 7}


def test_five_even_folds_of_either_scheme(prepared: PreparedData) -> None:
    splits = read_splits(prepared.folder / "splits.json", prepared)
    for scheme in SCHEMES:
        sizes = [len(fold.held_out_ids) for fold in splits.folds(scheme)]
        assert len(sizes) == 5
        assert all(270 < size < 330 for size in sizes)


def test_traits_and_writer_groups_are_there(prepared: PreparedData) -> None:
    assert len(prepared.train.traits) == 6
    assert set(prepared.train.writers) == {"gender", "grade", "race_ethnicity", "SES"}


def test_the_locked_test_opens(prepared: PreparedData) -> None:
    assert len(open_locked(prepared)) == 264
