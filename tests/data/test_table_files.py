"""Tables as people have them: separators, decimals, quotes, encodings, blanks, kinds of files."""

# ruff: noqa: RUF001
from __future__ import annotations

import gzip
import json
import logging
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.core.spreadsheets import csv_line, harmless_cell
from essay_scoring.data import cells
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.rows import shown
from essay_scoring.data.tables import Table, read_table

SENTENCE = "It’s “fine” – she didn’t say café, naïve or Zoë’s “no”… we’re here, they’ll see"
SCALES = ScoreScales(shared=ScoreScale(low=1, high=5, step=0.5))


def written(folder: Path, data: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def columns(table: Table) -> dict[str, list[str]]:
    return {name: table.column(name) for name in table.names}


@pytest.mark.parametrize(
    "text",
    [
        "id;text;score\n1;a, b;2,5\n2;c;3\n",
        "sep=;\nid;text;score\n1;a, b;2,5\n2;c;3\n",
        '\ufeff"sep=;"\r\nid;text;score\r\n1;"a, b";2,5\r\n2;c;3\r\n',
        "id\ttext\tscore\n1\ta, b\t2,5\n2\tc\t3\n",
        "id|text|score\n1|a, b|2.5\n2|c|3\n",
        'id,text,score\n1,"a, b",2.5\n2,c,3\n',
    ],
)
def test_the_file_tells_its_separator_and_decimals(text: str, tmp_path: Path) -> None:
    table = read_table(written(tmp_path, text))
    assert table.column("text") == ["a, b", "c"]
    assert cells.number_cells(table, "score").tolist() == [2.5, 3.0]
    table.check()


def test_separator_and_decimal_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, 'id:score\n1:"2,5"\n')
    table = read_table(path, TableFormat(separator=":", decimal=","))
    assert cells.number_cells(table, "score").tolist() == [2.5]
    assert TableFormat(separator="tab").separator == "\t"
    with pytest.raises(ValueError, match="one character"):
        TableFormat(separator="ab")


@pytest.mark.parametrize(
    ("cell", "decimal"), [("1,000.5", "auto"), ("2,5", "."), ("2.5", ","), ("1,000,000", "auto")]
)
def test_a_number_that_mixes_both_marks_is_none(cell: str, decimal: Any, tmp_path: Path) -> None:
    table = read_table(written(tmp_path, f"id;x\n1;{cell}\n"), TableFormat(decimal=decimal))
    cells.number_cells(table, "x")
    with pytest.raises(InputError, match="is not a number"):
        table.check()


UNQUOTED = [
    ["a1", "P", "plain words, and more", "3"],
    ["a2", "P", '"Quoted from the start', "2"],
    ["a3", "Q", 'up to the end"', "4"],
    ["a4", "Q", 'others say "this" too', "1"],
]


@pytest.mark.parametrize(("separator", "name"), [("\t", "t.tsv"), (";", "t.csv")])
def test_rows_that_a_quote_would_swallow_are_refused_or_read(
    separator: str, name: str, tmp_path: Path
) -> None:
    lines = [["id", "prompt", "text", "score"], *UNQUOTED]
    text = "".join(separator.join(line) + "\n" for line in lines)
    path = written(tmp_path, text, name)
    with pytest.raises(
        InputError, match=r"row 2 \(line 3\): a quote opens here .*quoting = 'none'"
    ):
        read_table(path)
    table = read_table(path, TableFormat(quoting="none"))
    assert table.column("text") == [row[2] for row in UNQUOTED]


def test_cells_of_several_lines_are_no_swallowed_rows(tmp_path: Path) -> None:
    # The second line has as many commas as the header, but no id, prompt or score stands there.
    rows = [[f"e{n}", "P", f"One, two\nthree, four, five {n}", str(n % 4)] for n in range(9)]
    text = "".join(csv_line(row) for row in [["id", "prompt", "text", "score"], *rows])
    assert read_table(written(tmp_path, text)).column("text") == [row[2] for row in rows]


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "utf-16", "utf-16-le", "utf-8-sig"])
def test_an_encoding_is_recognised(
    encoding: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, f'id,text\n1,“{SENTENCE[:4]}”\n2,"{SENTENCE}"\n'.encode(encoding))
    with caplog.at_level(logging.WARNING):
        table = read_table(path)
    assert table.column("text") == [f"“{SENTENCE[:4]}”", SENTENCE]
    assert table.file.encoding == {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert ("was read as" in caplog.text) == (encoding != "utf-8-sig")


@pytest.mark.parametrize("word", ["it’s", "café", "Ärger über Öl", "había", "l’été", "don’t"])
@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman"])
def test_one_word_is_read_rightly_or_refused(word: str, encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"id,text\n1,so {word} was\n".encode(encoding))
    try:
        table = read_table(path)
    except InputError as error:
        assert "set encoding = " in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert table.column("text") == [f"so {word} was"]


def test_an_encoding_that_is_neither_is_refused_and_can_be_said(tmp_path: Path) -> None:
    text = "id,text\n1,Сегодня хороший день\n"
    path = written(tmp_path, text.encode("cp1251"))
    with pytest.raises(InputError, match=r"line 2: byte 0xd1 at offset 10 is not UTF-8"):
        read_table(path)
    assert read_table(path, TableFormat(encoding="cp1251")).column("text")[0].startswith("Сег")


def test_blank_columns_and_lines_of_a_spreadsheet_are_left_out(tmp_path: Path) -> None:
    text = "\n,,,,\nid,,text,,\n1,,a,,\n,,,,\n2,,b\n , ,\t,,\n3,,c,,,,\n"
    table = read_table(written(tmp_path, text))
    assert columns(table) == {"id": ["1", "2", "3"], "text": ["a", "b", "c"]}
    assert [row.line for row in table.rows] == [4, 6, 8]


def test_gzip_and_json_lines(tmp_path: Path) -> None:
    objects = [
        {"id": 1, "text": 'a\nb, "c"', "score": 2.5},
        {"id": 2.0, "score": 3, "text": "é", "more": None},
    ]
    lines = "".join(json.dumps(each) + "\n" for each in objects)
    expected = {
        "id": ["1", "2"],
        "text": ['a\nb, "c"', "é"],
        "score": ["2.5", "3"],
        "more": ["", ""],
    }
    assert columns(read_table(written(tmp_path, lines, "t.jsonl"))) == expected
    packed = written(tmp_path, gzip.compress(lines.encode()), "t.jsonl.gz")
    assert columns(read_table(packed)) == expected
    packed = written(tmp_path, gzip.compress(b"id;text\n1;a\n"), "t.csv.gz")
    assert columns(read_table(packed)) == {"id": ["1"], "text": ["a"]}


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (b'{"id": 1}\n[1]\n', "t.jsonl", "line 2: the line is no JSON object"),
        (b'{"id": 1}\n{"id": \n', "t.jsonl", "line 2: the line is no JSON object"),
        (b'{"id": ["SECRET"]}\n', "t.jsonl", "line 1, column 'id': the value is no text"),
        (b'{"id": "\\ud800"}\n', "t.jsonl", "line 1, column 'id': the value is no text"),
        (b"id,text\n1,a\n", "t.csv.gz", "not a whole gzip file"),
        (gzip.compress(b"id,text\n1,a\n" * 99, mtime=0)[:-9], "t.csv.gz", "not a whole gzip file"),
        (b"PK", "t.xlsx.gz", "file type '.xlsx.gz' is not known"),
        (b"\xff\xfei", "t.csv", "the file is not utf-16"),
    ],
)
def test_files_that_are_not_whole(data: bytes, name: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=what) as caught:
        read_table(written(tmp_path, data, name))
    assert "SECRET" not in str(caught.value)


def test_excel_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"essay-scoring\[excel\]"):
        read_table(written(tmp_path, b"PK", "t.xlsx"))


def workbook(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """Write rows as the first of two sheets; skip where no workbook can be written."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("notes").append(["id", "text"])
    book.save(path)
    return path


def test_the_first_sheet_of_excel_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows: list[list[object]] = [
        [None] * 3,
        ["id", "text", None],
        [7.0, "a", None],
        [None] * 3,
        [8, "b", None],
    ]
    table = read_table(workbook(tmp_path / "t.xlsx", rows))
    assert columns(table) == {"id": ["7", "8"], "text": ["a", "b"]}
    assert [row.line for row in table.rows] == [3, 5]
    assert "t.xlsx has 2 sheets; the first is read" in caplog.text


def test_ids_that_became_floats_are_whole_numbers_again(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"id": [7.0, 8.0], "x": [0.5, None]}), path)
    assert columns(read_table(path)) == {"id": ["7", "8"], "x": ["0.5", ""]}


def test_all_faults_are_told_at_once_in_order_and_no_more_than_twenty(tmp_path: Path) -> None:
    rows = ["1,words,3", "2,,9", "3", ",words,x", *(f"{n},words,7" for n in range(4, 40))]
    table = read_table(written(tmp_path, "id,text,score\n" + "\n".join(rows) + "\n"))
    ids = cells.id_cells(table, "id")
    cells.text_cells(table, "text")
    cells.score_cells(table, "score", ("p",) * len(ids), SCALES)
    with pytest.raises(InputError) as caught:
        table.check()
    line = str(caught.value)
    assert (
        "row 2 (line 3), column 'text': the text is blank; row 2 (line 3), column 'score'" in line
    )
    assert "row 3 (line 4): the row has 1 cells but the header has 3; row 4 (line 5), " in line
    # Two of row 2, one of row 3, two of row 4, and 36 scores off the scale.
    assert line.count("(line ") == 20
    assert "; 41 faults in all. To mend: " in line


def test_rows_are_their_own_ids_where_there_is_no_column(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "text\nb\na\n"))
    assert cells.id_cells(table, None) == ("1", "2")


@pytest.mark.parametrize("essay_id", ["-12", "+a", "@b", "=c", "'d", "'-e", "plain"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_ids_of_the_own_files_come_back(essay_id: str, suffix: str, tmp_path: Path) -> None:
    line = csv_line([harmless_cell(essay_id), "x"]) if suffix == ".csv" else ""
    text = f"id,text\n{line}" if line else json.dumps({"id": essay_id, "text": "x"}) + "\n"
    table = read_table(written(tmp_path, text, f"t{suffix}"))
    assert cells.id_cells(table, "id") == (essay_id,)


def test_an_essay_is_never_shown_whole() -> None:
    assert shown("RESPONSE_1") == "'RESPONSE_1'"
    assert shown("I really like dogs.") == "'I real'... (19 characters)"
    assert "小" not in shown("小猫喜欢睡觉" * 8)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1),
            st.text(st.characters(exclude_categories=["Cs", "Cc"])),
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_a_table_holds_comes_back(
    tmp_path: Path, rows: list[tuple[str, str]], separator: str
) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    lines = [
        ["id", "text"],
        *([f"e{at}{name}", f"x{text}"] for at, (name, text) in enumerate(rows)),
    ]
    text = "".join(separator.join(map(quoted, line)) + "\n" for line in lines)
    table = read_table(written(tmp_path, text))
    assert [[*pair] for pair in zip(*columns(table).values(), strict=True)] == lines[1:]


def test_numbers_of_a_column_are_as_before(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "x\n1.5\nNA\n-2e1\n"))
    np.testing.assert_array_equal(cells.number_cells(table, "x"), [1.5, np.nan, -20.0])


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_essays_of_several_lines_are_read_whole(name: str, tmp_path: Path) -> None:
    separator = "," if name == "t.csv" else "\t"
    texts = [f"One\nHowever, it was {at}\nThen, no" for at in range(9)]
    rows = [[f"e{at}", f'"{text}"'] for at, text in enumerate(texts)]
    lines = "".join(separator.join(row) + "\n" for row in rows)
    assert (
        read_table(written(tmp_path, f"id{separator}text\n{lines}", name)).column("text") == texts
    )
    lines = "".join(f'"{text}"\n' for text in texts)
    assert read_table(written(tmp_path, f"text\n{lines}", name)).column("text") == texts


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_cell_that_no_essay_fills_is_refused(kind: str, tmp_path: Path) -> None:
    texts = ["one", "x" * 4_000_001]
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        parquet.write_table(pa.table({"text": texts}), path)
    else:
        lines = texts if kind == "csv" else [json.dumps({"text": text}) for text in texts]
        path.write_text("\n".join(["text", *lines] if kind == "csv" else lines))
    with pytest.raises(InputError, match=r"2.*: a cell has more than 4,000,000 characters") as told:
        read_table(path)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize(
    "head", ["Export of May\n", "Export of May,,\r\n\r\n", "One\n\nTwo\n", '"A title; of two"\n']
)
@pytest.mark.parametrize("mark", [",", ";"])
def test_titles_above_a_header_are_left_out_and_said(
    head: str, mark: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = "id,text,note\n7,a b,x\n8,c d,\n".replace(",", mark)
    table = read_table(written(tmp_path, head.replace(",", mark) + body))
    assert columns(table) == {"id": ["7", "8"], "text": ["a b", "c d"], "note": ["x", ""]}
    assert "above the header are taken for titles" in caplog.text
    assert table.rows[0].line == head.count("\n") + 2


@pytest.mark.parametrize("row", ["7,8", "x," + "w " * 60, "x,x"])
def test_a_row_that_is_no_header_leaves_the_first_line_what_it_is(row: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"text,\n{row}\n")
    assert read_table(file).names[0] == "text"


def test_a_header_that_names_few_of_the_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"header row: the header row names 2 of 5 columns"):
        read_table(written(tmp_path, "Class,7b,,,\nid,text,prompt,score,note\n1,a,p,2,n\n"))


def test_a_workbook_of_titles_dates_and_empty_columns_is_read(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Results 2024"],
        [],
        ["id", "score", None],
        [date(2024, 3, 5), 3.5, None],
        [datetime(2024, 3, 6, 9, 30), datetime(2024, 5, 3), None],  # noqa: DTZ001
    ]
    table = read_table(workbook(tmp_path / "t.xlsx", rows))
    assert columns(table)["id"] == ["2024-03-05", "2024-03-06 09:30:00"]
    cells.number_cells(table, "score")
    with pytest.raises(InputError, match=r"row 2 .*'2024-05-03' is not a number.* made dates of"):
        table.check()


def test_objects_inside_an_object_have_both_names(tmp_path: Path) -> None:
    lines = [{"id": 1, "of": {"who": "a", "n": {"x": 2}}}, {"id": 2, "of": {}, "of.who": "b"}]
    table = read_table(written(tmp_path, "\n".join(map(json.dumps, lines)), "t.jsonl"))
    assert columns(table) == {"id": ["1", "2"], "of.who": ["a", "b"], "of.n.x": ["2", ""]}
    lines[0]["of.who"] = "SECRET"
    file = written(tmp_path, "\n".join(map(json.dumps, lines)), "t.jsonl")
    with pytest.raises(InputError, match=r"line 1: there are two values of 'of\.who'"):
        read_table(file)


def test_ids_that_a_spreadsheet_shortened_are_told(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "id,text\n1.2345E+12,a\n1.2345E+12,b\n"))
    cells.id_cells(table, "id")
    with pytest.raises(InputError, match=r"row 2 .*already that of row 1.* shortened long numbers"):
        table.check()
