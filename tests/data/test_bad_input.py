"""Every bad input a corpus may hold: its one-line error, its place, and no essay text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.data.data_settings import DataSettings, TableColumns
from essay_scoring.data.preparation import prepare
from tests.data.corpus_files import HEADER, SECRET, made_rows, table_settings, write_csv

Rows = list[list[str]]


def _edited(row: int, column: int, value: str) -> Callable[[Rows], Rows]:
    def edit(rows: Rows) -> Rows:
        rows[row][column] = value
        return rows

    return edit


def _fail(folder: Path, settings: DataSettings | None = None) -> str:
    """Return the message with which preparing the folder's train.csv fails."""
    with pytest.raises(InputError) as caught:
        prepare(settings or table_settings(), folder, folder / "out", Progress())
    message = str(caught.value)
    assert "\n" not in message
    assert "To mend: " in message
    assert SECRET not in message
    assert not list((folder / "out").glob("table-*"))
    assert not list((folder / "out").glob("*.partial"))
    return message


CELLS: dict[str, tuple[Callable[[Rows], Rows], list[str]]] = {
    "duplicate id": (_edited(3, 0, "e1"), ["row 4", "column 'id'", "'e1'", "row 2"]),
    "ids alike but for white space": (_edited(3, 0, " e1 "), ["row 4", "'e1'", "row 2"]),
    "blank id": (_edited(3, 0, " "), ["row 4", "column 'id'", "blank"]),
    "blank text": (_edited(3, 1, " \n\u200b"), ["row 4", "column 'text'", "blank"]),
    "text of marks alone": (_edited(3, 1, " -- !"), ["row 4", "column 'text'", "blank"]),
    "blank prompt": (_edited(3, 2, "  "), ["row 4", "column 'prompt'", "blank"]),
    "score that is no number": (
        _edited(3, 3, "good"),
        ["row 4", "column 'score'", "'good' is not a number"],
    ),
    "decimal comma": (_edited(3, 3, "2,0"), ["row 4", "'2,0' is not a number", "decimal point"]),
    "digits with underscores": (_edited(3, 3, "0_2"), ["row 4", "'0_2' is not a number"]),
    "infinite score": (_edited(3, 3, "inf"), ["row 4", "'inf' is not a number"]),
    "score NaN": (_edited(3, 3, "NaN"), ["row 4", "column 'score'", "missing"]),
    "score blank": (_edited(3, 3, ""), ["row 4", "column 'score'", "missing"]),
    "score above the scale": (
        _edited(3, 3, "4.5"),
        ["row 4", "column 'score'", "score 4.5 is off the scale 1 to 4 by 1"],
    ),
    "score below the scale": (_edited(3, 3, "0"), ["row 4", "score 0 is off the scale 1 to 4"]),
    "score between steps": (
        _edited(3, 3, "2.5"),
        ["row 4", "column 'score'", "2.5 is not on a step of the scale 1 to 4 by 1"],
    ),
    "too few cells": (lambda rows: [*rows[:3], rows[3][:3]], ["row 4", "3 cells", "header has 4"]),
    "too many cells": (
        lambda rows: [*rows[:3], [*rows[3], "x"]],
        ["row 4", "5 cells", "header has 4"],
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_bad_cells(name: str, tmp_path: Path) -> None:
    edit, expected = CELLS[name]
    write_csv(tmp_path / "train.csv", edit(made_rows()))
    message = _fail(tmp_path)
    # Every made text spans two lines: row 4 starts on line 1 + 3 * 2 + 1 = 8.
    assert "train.csv, row 4 (line 8)" in message
    for part in expected:
        assert part in message


BYTES: dict[str, tuple[bytes, list[str]]] = {
    "empty file": (b"", ["train.csv: the file is empty"]),
    "byte order mark alone": (b"\xef\xbb\xbf\r\n", ["train.csv: the file is empty"]),
    "header alone": (b"id,text,prompt,score\n", ["train.csv", "no rows"]),
    "missing column": (
        b"id,text,prompt\n1,SECRETWORD,p\n",
        ["train.csv", "no column 'score'", "'id', 'text', 'prompt'"],
    ),
    "no header row": (
        b"1," + b"SECRETWORD " * 9 + b",p,2\n2,SECRETWORD b,p,3\n",
        ["train.csv", "no column 'id'", "(text of 98 characters)"],
    ),
    "another separator": (
        b"id:text:prompt:score\n1:SECRETWORD:p:2\n",
        ["no column 'id'", "'id:text:prompt:score'", "separator"],
    ),
    "duplicate column": (
        b"id,text,prompt,score, score\n1,SECRETWORD,p,2,2\n",
        ["train.csv, header row", "'score' is there 2 times (columns 4, 5)"],
    ),
    "quote never closed": (
        b'id,text,prompt,score\n1,SECRETWORD,p,2\n2,"SECRETWORD,p,2\n3,b,p,2\n',
        ["train.csv, row 2 (line 3)", "never closed"],
    ),
    "text after a closing quote": (
        b'id,text,prompt,score\n1,"SECRETWORD" b,p,2\n',
        ["train.csv, row 1 (line 2)", "closing quote"],
    ),
    "NUL byte": (
        b"id,text,prompt,score\n1,SECRETWORD\0,p,2\n",
        ["train.csv, line 2", "NUL byte at offset 33"],
    ),
    # 0x81 is defined neither in UTF-8 (on its own) nor in cp1252.
    "undecodable byte": (
        b"id,text,prompt,score\n1,SECRETWORD \x81,p,2\n",
        ["train.csv, line 2", "byte 0x81 at offset 34", "encoding = "],
    ),
}


@pytest.mark.parametrize("name", BYTES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    data, expected = BYTES[name]
    (tmp_path / "train.csv").write_bytes(data)
    message = _fail(tmp_path)
    for part in expected:
        assert part in message


ENCODINGS: dict[str, tuple[str, bytes, list[str]]] = {
    "cp1252 as utf-8": ("utf-8", b"\xe9", ["line 2", "byte 0xe9", "not UTF-8", "'cp1252'"]),
    "undefined in cp1252": ("cp1252", b"\x9d", ["line 2", "byte 0x9d", "not cp1252", "'latin-1'"]),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_given_encoding_is_strict(name: str, tmp_path: Path) -> None:
    encoding, byte, expected = ENCODINGS[name]
    data = b"id,text,prompt,score\n1,SECRETWORD" + byte + b",p,2\n"
    (tmp_path / "train.csv").write_bytes(data)
    message = _fail(tmp_path, table_settings(encoding=encoding))
    for part in ["train.csv", *expected]:
        assert part in message


def test_a_utf8_mark_in_a_file_said_to_be_latin1(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"\xef\xbb\xbfid,text,prompt,score\n1,a,p,2\n")
    assert "encoding = 'utf-8'" in _fail(tmp_path, table_settings(encoding="latin-1"))


def test_no_file(tmp_path: Path) -> None:
    message = _fail(tmp_path)
    assert "train.csv: no such file" in message
    assert "ESSAY_SCORING_DATA" in message


def _columns(**changes: Any) -> TableColumns:
    names: dict[str, Any] = {"id": "id", "text": "text", "prompt": "prompt", "score": "score"}
    return TableColumns(**(names | changes))


@pytest.mark.parametrize("role", ["id", "prompt", "score"])
def test_a_column_map_that_points_at_the_essays_shows_none_of_them(
    role: str, tmp_path: Path
) -> None:
    rows = [["e", f"{SECRET} the same long text in every row, as an id", "P0", "1"]] * 4
    write_csv(tmp_path / "train.csv", rows)
    columns = _columns(**({"id": "text"} if role == "id" else {role: "text"}))
    _fail(tmp_path, table_settings(columns=columns))


def test_a_second_score_may_be_missing_but_not_off_the_scale(tmp_path: Path) -> None:
    rows = [[*row, "" if i % 2 else "9"] for i, row in enumerate(made_rows())]
    write_csv(tmp_path / "train.csv", rows, [*HEADER, "second"])
    message = _fail(tmp_path, table_settings(columns=_columns(second_score="second")))
    assert "row 1 (line 2), column 'second': the score 9 is off the scale" in message


def test_a_prompt_without_a_scale(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    scales = ScoreScales(by_prompt={f"P{i}": ScoreScale(low=1, high=4) for i in range(3)})
    message = _fail(tmp_path, table_settings(scales=scales))
    assert "train.csv, row 4 (line 8): the prompt 'P3' has no score scale" in message


@pytest.mark.parametrize(
    ("n_prompts", "n_splits", "expected"),
    [(1, 2, "all essays answer one prompt"), (4, 5, "4 prompts cannot fill 5 folds")],
)
def test_too_few_prompts(n_prompts: int, n_splits: int, expected: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows(n_prompts=n_prompts))
    message = _fail(tmp_path, table_settings(n_splits=n_splits))
    assert expected in message
    assert "train.csv, column 'prompt'" in message


def test_nothing_left_after_the_window(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    assert "window of 500 to 1000 words" in _fail(tmp_path, table_settings(min_words=500))


def test_a_locked_text_that_is_in_train(tmp_path: Path) -> None:
    rows = made_rows()
    write_csv(tmp_path / "train.csv", rows)
    # The same text but for white space and a zero-width character.
    twin = ["x1", f"\u200b {rows[5][1]} \r\n", "P0", "1"]
    write_csv(tmp_path / "held.csv", [["x0", "another text", "P0", "1"], twin])
    message = _fail(tmp_path, table_settings(locked="held.csv"))
    assert "held.csv, row 2" in message
    assert "'x1' has the same text as the training essay 'e5'" in message


def test_a_locked_id_that_is_in_train(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    write_csv(tmp_path / "held.csv", [["e7", "another text", "P0", "1"]])
    message = _fail(tmp_path, table_settings(locked="held.csv"))
    assert "held.csv, row 1: the id 'e7' is in train and in the locked test" in message
