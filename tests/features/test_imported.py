"""Columns made elsewhere: by id, exact, in order, and refused in one line where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.feature_settings import FeatureSettings, ImportedTable
from essay_scoring.features.imported import ImportedBlock
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable

CSV = "record_id,mtld,b,level\n a ,1.5,,low\nb,2,-0.25,HIGH\nc,3,7,\n"
LEVELS = ("low", "medium", "high")


def table(folder: Path, text: str = CSV, **settings: object) -> ImportedTable:
    path = folder / "answers.csv"
    path.write_text(text, encoding="utf-8")
    return ImportedTable.model_validate({"path": str(path), **settings})


def essays(*ids: str) -> Essays:
    """Return essays of one and the same text."""
    return Essays(ids, ("The same text.",) * len(ids), ("p",) * len(ids))


def features(folder: Path, *tables: ImportedTable, **settings: object) -> FeatureTable:
    chosen = FeatureSettings.model_validate({"sets": ("imported",), "imported": tables, **settings})
    return FeatureTable(chosen, FeatureStore(folder / "store"), folder, Progress())


def test_rows_are_found_by_id_and_nothing_is_stored(tmp_path: Path) -> None:
    source = features(tmp_path, table(tmp_path, labels=LEVELS, prefix="x_"))
    columns = source(essays("c", "a"))
    # mtld is no companion here: the file's order holds, and labels count from 1.
    assert columns.names == ("x_mtld", "x_b", "x_level")
    expected = np.array([[3, 7, np.nan], [1.5, np.nan, 1]], dtype=np.float32)
    np.testing.assert_array_equal(columns.values, expected)
    # An essay of the same text and prompt that comes later has its own row.
    np.testing.assert_array_equal(source(essays("b")).values, [[2, -0.25, 3]])
    assert not (tmp_path / "store").exists()
    assert source.stored_blocks == ()


def test_two_tables_stand_side_by_side_less_what_is_dropped(tmp_path: Path) -> None:
    first = table(tmp_path, columns=("b", "mtld"))
    source = features(tmp_path, first, first.model_copy(update={"prefix": "y_"}), drop=("mtld",))
    assert source.names == ("b", "y_b", "y_mtld")
    np.testing.assert_array_equal(source(essays("c")).values, [[7, 7, 3]])
    with pytest.raises(InputError, match=r"two tables have a column 'b'.*prefix"):
        features(tmp_path, first, first)


def test_every_float_of_a_parquet_file_comes_back_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 1 << 32, 4000, dtype=np.uint32).view(np.float32)
    values = np.append(values[np.isfinite(values)], np.array([0, -0.0, 1e-45], np.float32))
    ids = [str(at) for at in range(len(values))]
    path = tmp_path / "columns.parquet"
    parquet.write_table(pa.table({"record_id": ids, "v": values, "y_true": values}), path)
    block = ImportedBlock([ImportedTable(path=str(path))])
    # What an export has beside columns gives scores away, and is read only where it is named.
    assert block.column_names == ("v",)
    assert block.columns(essays(*ids)).values[:, 0].tobytes() == values.tobytes()


def test_the_bytes_of_the_table_are_part_of_the_identity(tmp_path: Path) -> None:
    held = table(tmp_path, labels=LEVELS)
    first = ImportedBlock([held]).identity
    other = table(tmp_path, CSV.replace("1.5", "1.25"), labels=LEVELS)
    assert ImportedBlock([other]).identity != first
    digest = first["tables_sha256"]
    assert isinstance(digest, list)
    with pytest.raises(InputError, match=f"not the table that was read before.*{digest[0]}"):
        ImportedBlock([held.model_copy(update={"sha256": digest[0]})])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CSV, "answers.csv, column 'level': the column holds no numbers: 'HIGH', 'low'.*labels"),
        ("record_id,v\na,1\nb,x\n", r"row 2 \(line 3\), column 'v': 'x' is not a number"),
        ("record_id,v\na,1\na,2\n", "the id 'a' is already that of row 1"),
        ("record_id,v\n,1\n", "the id is blank"),
        ("id,v\na,1\n", "there is no column 'record_id'"),
        ("record_id,fold\na,1\n", "there is no column beside 'record_id'"),
    ],
)
def test_a_table_that_is_no_table_of_numbers_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ImportedBlock([table(tmp_path, text)])


def test_essays_without_a_row_are_counted_and_the_first_named(tmp_path: Path) -> None:
    block = ImportedBlock([table(tmp_path, columns=("b",))])
    message = "no imported columns for 4 of 5 essays: 'd', 'e', 'f', ..."
    with pytest.raises(InputError, match=message):
        block.columns(essays("a", "d", "e", "f", "g", "d"))


def test_the_set_and_its_tables_go_together() -> None:
    for values in ({"sets": ["imported"]}, {"imported": [{"path": "a.csv"}]}):
        with pytest.raises(ValidationError, match="name both"):
            FeatureSettings.model_validate(values)
