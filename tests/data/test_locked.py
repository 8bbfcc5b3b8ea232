from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.data.corpora import data_folder, load_locked_essays
from essay_scoring.data.data_settings import (
    DataSettings,
    EllipseCorpus,
    SplitSettings,
    SyntheticCorpus,
)
from essay_scoring.data.locked import open_locked
from essay_scoring.data.preparation import PreparedData, prepare
from tests.data.corpus_files import made_rows, table_settings, write_csv

LOCKED = [
    ["x0", "a short text", "P0", "1"],
    ["x1", "one", "P1", "3"],
    ["x2", "some more text", "P1", "4"],
]


def _prepared(folder: Path, locked: list[list[str]]) -> PreparedData:
    write_csv(folder / "train.csv", made_rows())
    write_csv(folder / "held.csv", locked)
    return prepare(
        table_settings(locked="held.csv", min_words=2), folder, folder / "out", Progress()
    )


def test_the_locked_scores_come_from_the_source(tmp_path: Path) -> None:
    prepared = _prepared(tmp_path, LOCKED)
    locked = open_locked(prepared, tmp_path)
    # x1 is one word and fell to the window.
    assert locked.essays.ids == prepared.locked_ids == ("x0", "x2")
    assert locked.scores.tolist() == [1, 4]


def test_the_data_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = _prepared(tmp_path, LOCKED)
    monkeypatch.setenv("ESSAY_SCORING_DATA", str(tmp_path))
    assert open_locked(prepared).scores.tolist() == [1, 4]
    monkeypatch.delenv("ESSAY_SCORING_DATA")
    assert data_folder() == Path("data")


def test_preparation_never_looks_at_locked_scores(tmp_path: Path) -> None:
    # Scores that would be refused anywhere else: only opening the locked test sees them.
    bad = [[*row[:3], "not a score"] for row in LOCKED]
    prepared = _prepared(tmp_path, bad)
    assert prepared.locked_ids == ("x0", "x2")
    with pytest.raises(InputError, match=r"held.csv, row 1 .*'not a score' is not a number"):
        open_locked(prepared, tmp_path)


def test_a_source_that_changed_is_refused(tmp_path: Path) -> None:
    prepared = _prepared(tmp_path, LOCKED)
    write_csv(tmp_path / "held.csv", [[*row[:3], "2"] for row in LOCKED])
    with pytest.raises(InputError, match="has changed since the data were prepared"):
        open_locked(prepared, tmp_path)


def test_a_synthetic_locked_test_is_made_again(tmp_path: Path) -> None:
    corpus = SyntheticCorpus(n_essays=30, n_locked=6, n_prompts=4)
    settings = DataSettings(corpus=corpus, splits=SplitSettings(n_splits=2))
    prepared = prepare(settings, tmp_path, tmp_path, Progress())
    locked = open_locked(prepared)
    assert locked.essays.ids == prepared.locked_ids
    essays = load_locked_essays(corpus, tmp_path)
    assert essays is not None
    assert locked.essays.texts == essays.texts


def test_no_locked_test_to_open(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    prepared = prepare(table_settings(), tmp_path, tmp_path / "out", Progress())
    assert load_locked_essays(prepared.settings.corpus, tmp_path) is None
    with pytest.raises(InputError, match="there is no locked test"):
        open_locked(prepared, tmp_path)


def test_a_corpus_is_sought_beside_its_config_and_then_in_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESSAY_SCORING_DATA", raising=False)
    corpus = EllipseCorpus(train="train.csv")
    assert data_folder(corpus, tmp_path) == Path("data")
    (tmp_path / "train.csv").write_text("id")
    assert data_folder(corpus, None, tmp_path) == tmp_path
    monkeypatch.setenv("ESSAY_SCORING_DATA", "elsewhere")
    assert data_folder(corpus, tmp_path) == Path("elsewhere")
