"""A model that reads imported columns: new essays by id, from the tables of training or others."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import read_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.data.corpora import load_train
from essay_scoring.scoring.input_table import ColumnNames
from essay_scoring.scoring.model import TrainedModel
from essay_scoring.scoring.score_file import ScoreRequest, score_file
from tests.scoring.made import quick_config, read_rows, train, write_essays

TABLE = "columns.csv"


def write_columns(path: Path, essays: Essays, shift: float = 0.0) -> Path:
    """Write two columns of essays by id: one that tells lengths, and one of noise with gaps."""
    rng = np.random.default_rng(5)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["record_id", "size", "noise"])
        for at, (essay, text) in enumerate(zip(essays.ids, essays.texts, strict=True)):
            noise = "" if at % 7 == 0 else rng.normal()
            writer.writerow([essay, len(text) + shift, noise])
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("imported")


@pytest.fixture(scope="module")
def known(home: Path) -> Essays:
    essays = load_train(quick_config("ridge").data.corpus, home).essays
    write_columns(home / TABLE, essays)
    return essays


@pytest.fixture(scope="module")
def model(home: Path, known: Essays) -> Path:
    assert len(known)
    features = ('features.sets=["imported"]', f'features.imported=[{{path="{TABLE}"}}]')
    return train(quick_config("ridge", *features), home, home / "cache")


def scored(model: Path, essays: Essays, folder: Path, *tables: Path) -> list[str]:
    file = write_essays(folder / "essays.csv", essays)
    columns = ColumnNames(id="id")
    request = ScoreRequest(model, file, folder / "scored.csv", columns, tables=tables)
    score_file(request, folder / "cache", Progress(), workers=1)
    return [row["predicted_raw"] for row in read_rows(request.out)]


def test_the_config_holds_the_model_to_the_table(model: Path, home: Path) -> None:
    [table] = read_json(model / "config.json")["features"]["imported"]
    assert (table["path"], table["sha256"]) == (TABLE, file_sha256(home / TABLE))


def test_new_essays_have_their_rows_in_the_table_of_training(
    model: Path, known: Essays, tmp_path: Path
) -> None:
    essays = known.take(range(6))
    # The text is not read, so that another one changes no score; the id is.
    other = replace(essays, texts=essays.texts[::-1])
    assert scored(model, other, tmp_path) == scored(model, essays, tmp_path)
    turned = scored(model, replace(essays, ids=essays.ids[::-1]), tmp_path)
    assert turned == scored(model, essays, tmp_path)[::-1]


def test_or_in_another_that_has_the_same_columns(
    model: Path, known: Essays, tmp_path: Path
) -> None:
    essays = replace(known.take(range(6)), ids=tuple(f"new {at}" for at in range(6)))
    table = write_columns(tmp_path / "new.csv", essays)
    wider = tmp_path / "wider.csv"
    first, *rows = table.read_text("utf-8").splitlines()
    # A column more, which training did not have, is not read.
    wider.write_text("\n".join([f"name,{first}", *(f"x,{row}" for row in rows)]), "utf-8")
    assert scored(model, essays, tmp_path, table) == scored(model, essays, tmp_path, wider)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([], r"no imported columns for 2 of 3 essays: 'new 1', 'new 2'"),
        (["columns.csv", "columns.csv"], "reads 1 tables of imported columns, and 2 are named"),
        (["other.csv"], "there is no column 'size'"),
    ],
)
def test_what_is_not_covered_is_refused_before_anything_is_scored(
    model: Path, known: Essays, home: Path, tmp_path: Path, tables: list[str], message: str
) -> None:
    essays = replace(known.take(range(3)), ids=(known.ids[0], "new 1", "new 2"))
    (home / "other.csv").write_text("record_id,length\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        scored(model, essays, tmp_path, *(home / name for name in tables))
    assert not (tmp_path / "scored.csv").exists()


def test_a_table_that_changed_since_is_refused(
    model: Path, home: Path, known: Essays, tmp_path: Path
) -> None:
    kept = (home / TABLE).read_bytes()
    write_columns(home / TABLE, known, shift=1.0)
    try:
        with pytest.raises(InputError, match="not the table that was read before"):
            TrainedModel(model, tmp_path)
    finally:
        (home / TABLE).write_bytes(kept)
