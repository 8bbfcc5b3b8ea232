from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from essay_scoring.core.errors import InputError
from essay_scoring.data.data_settings import Encoding, TableFormat
from essay_scoring.data.tables import read_table


def _write(folder: Path, data: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "encoding", "used"),
    [
        ("id,text\n1,caf\u00e9\n".encode(), "auto", "utf-8"),
        ("id,text\n1,caf\u00e9\n".encode("utf-8-sig"), "auto", "utf-8"),
        ("id,text\n1,caf\u00e9\n".encode("utf-8-sig"), "utf-8", "utf-8"),
        ("id,text\n1,caf\u00e9\n".encode("cp1252"), "cp1252", "cp1252"),
        ("id,text\n1,caf\u00e9\n".encode("latin-1"), "latin-1", "latin-1"),
    ],
)
def test_every_encoding_gives_the_same_text(
    tmp_path: Path, data: bytes, encoding: Encoding, used: str
) -> None:
    table = read_table(_write(tmp_path, data), TableFormat(encoding=encoding))
    assert table.names == ("id", "text")
    assert table.column("text") == ["caf\u00e9"]
    assert table.file.encoding == used


def test_auto_reads_cp1252_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _write(tmp_path, "id,text\n1,\u201cd\u00e9j\u00e0 vu\u201d\n".encode("cp1252"))
    with caplog.at_level(logging.WARNING):
        table = read_table(path)
    assert table.column("text") == ["\u201cd\u00e9j\u00e0 vu\u201d"]
    assert table.file.encoding == "cp1252"
    assert "read as cp1252" in caplog.text


def test_auto_takes_few_bad_bytes_among_valid_sequences_for_damage(tmp_path: Path) -> None:
    # Three valid accented letters and one stray byte: read as cp1252, all three would be spoilt.
    # 8 bytes of header, 2 before the text, 3 * 2 letters, a line end, 2 more: offset 19.
    data = "id,text\n1,\u00e9\u00e8\u00ea".encode() + b"\n2,\xe9t\n"
    with pytest.raises(InputError, match=r"line 3: byte 0xe9 at offset 19 is not UTF-8") as caught:
        read_table(_write(tmp_path, data))
    assert "'cp1252', 'mac-roman', 'latin-1'" in str(caught.value)


def test_a_byte_order_mark_says_utf8_even_before_bad_bytes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2: byte 0xe9 at offset 13 is not UTF-8"):
        read_table(_write(tmp_path, b"\xef\xbb\xbfid,text\n1,\xe9\xe9\n"))


def test_delimiters_quotes_line_ends_and_blank_lines(tmp_path: Path) -> None:
    data = b'id,text\r\n\r\n1,"a, ""b""\r\nc"\r\n2,said "hi" there\r\n\r\n'
    table = read_table(_write(tmp_path, data))
    assert table.column("text") == ['a, "b"\r\nc', 'said "hi" there']
    # Row 1 starts on line 3, after a blank line, and takes two lines.
    assert [row.line for row in table.rows] == [3, 5]


def test_tab_separated_values_by_suffix(tmp_path: Path) -> None:
    table = read_table(_write(tmp_path, b"id\ttext\n1\ta, b\n", "t.TSV"))
    assert table.column("text") == ["a, b"]


def test_a_cell_longer_than_the_csv_module_allows_by_default(tmp_path: Path) -> None:
    long = "x" * 300_000
    assert read_table(_write(tmp_path, f"id,text\n1,{long}\n".encode())).column("text") == [long]


def test_parquet_cells_become_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    columns = {
        "id": [7, 8],
        "score": [3.5, None],
        "text": ["a\nb", "c"],
        "label": pa.array(["x", "y"]).dictionary_encode(),
    }
    parquet.write_table(pa.table(columns), path)
    table = read_table(path)
    assert [table.column(name) for name in table.names] == [
        ["7", "8"],
        ["3.5", ""],
        ["a\nb", "c"],
        ["x", "y"],
    ]


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"text": [b"\xff"]}, "type bytes"),
        ({"text": [["a", "b"]]}, "type list"),
        ({"text": ["a", "b\0"]}, "NUL character in row 2"),
        ({"text": pa.array([], pa.string())}, "no rows"),
    ],
)
def test_parquet_that_holds_no_table_of_text(
    tmp_path: Path, columns: dict[str, object], what: str
) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table(columns), path)
    with pytest.raises(InputError, match=what):
        read_table(path).column("text")


def test_a_file_that_only_claims_to_be_parquet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Parquet file"):
        read_table(_write(tmp_path, b"id,text\n1,a\n", "t.parquet"))


def test_parquet_with_a_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["id", "id"]), path)
    with pytest.raises(InputError, match="'id' is there 2 times"):
        read_table(path)


def test_a_file_type_that_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file type '.xls' is not known"):
        read_table(_write(tmp_path, b"PK", "t.xls"))
