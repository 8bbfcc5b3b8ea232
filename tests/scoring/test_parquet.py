"""Parquet in and out: the same scores as CSV, in columns that keep their types."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.scoring.flags import FLAGS
from essay_scoring.scoring.input_table import ColumnNames, open_input
from essay_scoring.scoring.model import COLUMNS
from essay_scoring.scoring.output_table import write_scored
from essay_scoring.scoring.score_file import PART_ROWS, ScoreRequest, score_file
from tests.scoring.made import new_essays, read_rows, write_essays
from tests.scoring.test_input_table import ASAP, SHARED

N = PART_ROWS + 5
SECRET = "zyzzyva"
GOOD = {"id": [7, 8], "prompt": ["one", " two "], "text": ["Some words", "Others"]}


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def score(model: Path, file: Path, out: Path, **options: Any) -> Path:
    score_file(ScoreRequest(model, file, out, **options), out.parent, Progress(), workers=1)
    return out


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    """ColumnNames of many types: those of the essays, and others that scoring hands on."""
    essays = new_essays(N)
    day = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    return {
        "id": pyarrow.array(range(N), pyarrow.int32()),
        "prompt": pyarrow.array(essays.prompts).dictionary_encode(),
        "text": pyarrow.array(essays.texts, pyarrow.large_string()),
        "note": ["=1+1", None, *["x"] * (N - 2)],
        "when": [day, *[None] * (N - 1)],
        "none": pyarrow.nulls(N),
        "share": [0.1] * N,
    }


@pytest.fixture(scope="module")
def table(columns: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("table") / "in.parquet", columns, row_group_size=7)


@pytest.fixture(scope="module")
def scored(length_model: Path, table: Path) -> Path:
    return score(length_model, table, table.parent / "out.parquet")


def test_columns_keep_their_types_and_scores_have_their_own(
    scored: Path, columns: dict[str, Any]
) -> None:
    found, given = parquet.read_table(scored), pyarrow.table(columns)
    own = [name for name in columns if name != "text"]
    assert found.column_names == [*own, *COLUMNS]
    for name in own:
        assert found.schema.field(name).type == given.schema.field(name).type
        assert found[name].to_pylist() == given[name].to_pylist()
    for name in COLUMNS:
        kind = pyarrow.bool_() if name in FLAGS else pyarrow.float64()
        assert found.schema.field(name).type == kind
        assert found[name].null_count == 0


def test_csv_holds_the_same(scored: Path, table: Path, length_model: Path) -> None:
    rows = read_rows(score(length_model, table, table.parent / "out.csv"))
    for row, one in zip(rows, parquet.read_table(scored).to_pylist(), strict=True):
        assert [float(row[name]) for name in COLUMNS[:4]] == [one[name] for name in COLUMNS[:4]]
        assert [row[name] == "yes" for name in FLAGS] == [one[name] for name in FLAGS]
    assert [row["id"] for row in rows] == [str(number) for number in range(N)]
    assert [row["note"] for row in rows[:3]] == ["'=1+1", "", "x"]
    assert [row["when"] for row in rows[:2]] == ["2026-01-02 03:04:05+00:00", ""]
    assert [row["share"] for row in rows[:1]] == ["0.1"]


def test_csv_is_scored_into_parquet(scored: Path, length_model: Path, tmp_path: Path) -> None:
    file = write_essays(tmp_path / "in.csv", new_essays(N), ("=1+1", ""))
    out = score(length_model, file, tmp_path / "out.parquet", keep_text=True)
    found, other = parquet.read_table(out), parquet.read_table(scored)
    assert found.column_names == ["id", "prompt", "text", "note", *COLUMNS]
    assert found.select(COLUMNS).equals(other.select(COLUMNS))
    assert found["text"].to_pylist() == list(new_essays(N).texts)
    # An apostrophe is for spreadsheets, which do not run what is in Parquet.
    assert found["note"].to_pylist()[:2] == ["=1+1", ""]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.parquet"]


def test_workers_do_not_change_a_byte(
    scored: Path, table: Path, length_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "two.parquet"
    score_file(ScoreRequest(length_model, table, out), tmp_path, Progress(), workers=2)
    assert out.read_bytes() == scored.read_bytes()


def test_a_table_of_many_batches_stays_in_order(tmp_path: Path) -> None:
    n = 2500  # of batches of 1,024 rows: two whole ones and a part
    columns = {"n": range(n), "prompt": ["one"] * n, "text": ["words"] * n}
    file = write(tmp_path / "in.parquet", {name: list(cells) for name, cells in columns.items()})
    read = open_input(file, ColumnNames(), SHARED)
    assert [row.number for row in read.rows()] == list(range(1, n + 1))
    cells = ([*map(str, (row, 0.5, 0, 1)), *["no"] * len(FLAGS)] for row in range(n))
    write_scored(tmp_path / "out.parquet", read, cells, text=False)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found["n"].to_pylist() == found["predicted_band"].to_pylist() == list(range(n))


def test_rows_have_numbers_but_no_lines(tmp_path: Path) -> None:
    table = open_input(write(tmp_path / "in.PARQUET", GOOD), ColumnNames(id="id"), ASAP)
    rows = list(table.rows())
    assert [(row.number, row.line, row.cells[0]) for row in rows] == [
        (1, None, "7"),
        (2, None, "8"),
    ]
    assert table.essays(rows).prompts == ("one", "two")


def not_utf8() -> pyarrow.Array:
    ends = pyarrow.array([0, 1, 2], pyarrow.int32()).buffers()[1]
    return pyarrow.StringArray.from_buffers(2, ends, pyarrow.py_buffer(b"a\xe9"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"text": [SECRET, None]}, "row 2, column 'text', id '8': the text is blank. To mend"),
        ({"text": [SECRET, "..."]}, "row 2, column 'text', id '8': the text is blank. To mend"),
        ({"prompt": [None, None]}, "row 1, column 'prompt', id '7': the prompt is blank; row 2, "),
        ({"prompt": ["one", "three"]}, "row 2, column 'prompt', id '8': the model has no score"),
        ({"text": [[SECRET], []]}, "column 'text': the cells are of type list, not text"),
        ({"more": [{"a": SECRET}, None]}, "column 'more': the cells are of type dict, not text"),
        ({"text": [SECRET.encode(), b"x"]}, "column 'text': the cells are of type bytes"),
        ({"text": [SECRET, f"{SECRET}\0"]}, "column 'text': there is a NUL character in row 2"),
        ({"text": not_utf8()}, "column 'text': a cell cannot be read (UnicodeDecodeError)"),
        ({"id": [], "prompt": [], "text": []}, "there is a header but no rows"),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_line(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "in.parquet", GOOD | changed)
    with pytest.raises(InputError) as refused:
        open_input(path, ColumnNames(id="id"), ASAP)
    line = refused.value.line()
    assert said in line
    assert SECRET not in line
    assert "\n" not in line


@pytest.mark.parametrize("damage", ["empty", "text", "cut short", "pages"])
def test_what_is_no_parquet_is_refused(damage: str, tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", GOOD, compression="zstd")
    raw = path.read_bytes()
    broken = {
        "empty": b"",
        "text": f"id,prompt,text\n1,one,{SECRET}\n".encode(),
        "cut short": raw[:-20],
        "pages": raw[:4] + bytes(200) + raw[204:],
    }
    path.write_bytes(broken[damage])
    with pytest.raises(InputError, match=r"in\.parquet: not a Parquet file") as refused:
        open_input(path, ColumnNames(), ASAP)
    assert SECRET not in refused.value.line()


def test_a_file_that_changes_meanwhile_is_not_written(
    length_model: Path, table: Path, tmp_path: Path
) -> None:
    file, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    file.write_bytes(table.read_bytes())

    def change(_: object) -> None:
        write(file, GOOD)

    request = ScoreRequest(length_model, file, out)
    with pytest.raises(InputError, match="the file changed while it was scored"):
        score_file(request, tmp_path, Progress(change), workers=1)
    assert not out.exists()
