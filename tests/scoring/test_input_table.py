from __future__ import annotations

import logging
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.data.data_settings import Encoding, TableFormat
from essay_scoring.scoring.input_table import MOST_CHARACTERS, ColumnNames, open_input

SHARED = ScoreScales(shared=ScoreScale(low=1, high=5))
ASAP = ScoreScales(by_prompt={"one": ScoreScale(low=2, high=12), "two": ScoreScale(low=0, high=3)})
GOOD = "id,prompt,text\n1,one,Some words\n"


def write(tmp_path: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("id,prompt,text\n", "a header but no rows"),
        ("id,prompt,essay\n1,one,x\n", "no column 'text'; the columns are 'id', 'prompt', 'essay'"),
        ("text,prompt,text\n1,one,x\n", "the column 'text' is there 2 times"),
        (GOOD + '2,one,"a\nb"\n3,one, ...\n', "row 3 (line 5), column 'text': the text is blank"),
        (GOOD + "2,,x\n", "row 2 (line 3), column 'prompt': the prompt is blank"),
        (GOOD + "2,one\n", "row 2 (line 3): the row has 2 cells but the header has 3"),
        (
            GOOD + '2,one,"x\n',
            "row 2 (line 3): the quoting is broken: a quote is opened here and never closed",
        ),
        (GOOD + "2,one,x\0y\n", "line 3: there is a NUL byte"),
        (
            GOOD + "2,one,\n3,one,\n",
            "row 2 (line 3), column 'text': the text is blank; row 3 (line 4)",
        ),
        (GOOD + f"2,one,{'x' * (MOST_CHARACTERS + 1)}\n", "the text has 200,001 characters"),
    ],
)
def test_what_cannot_be_scored_is_told_in_one_line(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        open_input(write(tmp_path, content), ColumnNames(), SHARED)
    line = refused.value.line()
    assert said in line
    assert "To mend: " in line
    assert len(line) < 400


def test_an_unknown_prompt_of_many_scales_is_told_with_its_id(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "e7,three,x\n")
    with pytest.raises(InputError, match=r"row 2 \(line 3\), column 'prompt', id 'e7': the model"):
        open_input(path, ColumnNames(id="id"), ASAP)


@pytest.mark.parametrize(
    ("encoding", "raw"), [("utf-8", b"\xc3\xa9t\xc3\xa9"), ("cp1252", b"\xe9t\xe9")]
)
def test_encodings(encoding: Encoding, raw: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.encode() + b"2,one," + raw + b"\n")
    table = open_input(path, ColumnNames(), SHARED, TableFormat(encoding=encoding))
    assert table.essays(list(table.rows())).texts[1] == "\u00e9t\u00e9"
    if encoding == "cp1252":
        with pytest.raises(InputError, match="line 3: byte 0xe9 at offset 38 is not UTF-8"):
            open_input(path, ColumnNames(), SHARED, TableFormat(encoding="utf-8"))


def test_a_byte_order_mark_blank_lines_and_tabs(tmp_path: Path) -> None:
    content = "\ufeff" + GOOD.replace(",", "\t") + "\n\n2\t two \tx\n"
    table = open_input(write(tmp_path, content, "in.tsv"), ColumnNames(id="id"), ASAP)
    assert table.names == ("id", "prompt", "text")
    rows = list(table.rows())
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5)]
    assert table.essays(rows).prompts == ("one", "two")
    assert table.n_rows == 2


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_input(tmp_path / "absent.csv", ColumnNames(), SHARED)
    with pytest.raises(InputError, match=r"file type '\.doc' is not known"):
        open_input(write(tmp_path, "x", "in.doc"), ColumnNames(), SHARED)


def test_essays_without_prompts_are_scored_on_one_scale(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "id,topic,text\n1,one,x\n")
    with caplog.at_level(logging.WARNING):
        table = open_input(path, ColumnNames(), SHARED)
    assert table.essays(list(table.rows())).prompts == ("",)
    assert "scored without their prompts" in caplog.text
    named = open_input(path, ColumnNames(same_prompt=" One\u00a0day "), SHARED)
    assert named.essays(list(named.rows())).prompts == ("One day",)
    assert open_input(path, ColumnNames(prompt="topic"), SHARED).prompt_column == "topic"
    with pytest.raises(InputError, match=r"a scale for each prompt.*--prompt"):
        open_input(path, ColumnNames(), ASAP)
    with pytest.raises(InputError, match=r"no column 'task'.*--prompt-column"):
        open_input(path, ColumnNames(prompt="task"), SHARED)


def test_a_prompt_has_its_scale_in_any_spelling(tmp_path: Path) -> None:
    table = open_input(write(tmp_path, GOOD + "2, ONE,x\n3,t\u200bwo,y\n"), ColumnNames(), ASAP)
    assert table.n_rows == 3


def test_a_quote_that_swallows_rows_is_refused_or_read(tmp_path: Path) -> None:
    rows = ["1\tone\tplain", '2\tone\t"opens here', '3\ttwo\tcloses here"', "4\ttwo\tplain"]
    path = write(tmp_path, "id\tprompt\ttext\n" + "\n".join(rows) + "\n", "in.tsv")
    with pytest.raises(InputError, match=r"row 2 \(line 3\): a quote opens here"):
        open_input(path, ColumnNames(), ASAP)
    table = open_input(path, ColumnNames(), ASAP, TableFormat(quoting="none"))
    assert table.essays(list(table.rows())).texts[2] == 'closes here"'
