"""What prompts asked, as a column of the table: one text a prompt, kept with the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.data.data_settings import DataSettings, Preparation, TableColumns
from essay_scoring.data.preparation import prepare
from essay_scoring.data.prepared import PreparedData
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.runs.run import with_prompt_texts
from tests.conftest import smoke_config
from tests.data.corpus_files import HEADER, made_rows, table_settings, write_csv

ASKED = "PROMPTSECRET: should task {} begin later?"
COLUMNS = TableColumns(id="id", text="text", prompt="prompt", score="score", prompt_text="asked")


def rows_with_texts() -> list[list[str]]:
    return [[*row, ASKED.format(row[2])] for row in made_rows()]


def prepared(
    folder: Path, rows: list[list[str]], settings: DataSettings | None = None
) -> PreparedData:
    write_csv(folder / "train.csv", rows, [*HEADER, "asked"])
    settings = settings or table_settings(columns=COLUMNS)
    return prepare(settings, folder, folder / "out", Progress())


def test_each_prompt_has_its_text_whatever_rows_lack_it_or_space_it_otherwise(
    tmp_path: Path,
) -> None:
    rows = rows_with_texts()
    rows[0][4], rows[4][4] = "", " " + rows[4][4].replace(" ", "\u00a0 ")
    for row in rows:
        row[4] = row[4] if row[2] != "P3" else " "
    data = prepared(tmp_path, rows)
    assert dict(data.prompt_texts).keys() == {"P0", "P1", "P2"}
    assert data.prompt_texts["P1"] == ASKED.format("P1")
    plain = prepared(tmp_path, rows, table_settings())
    assert plain.data_sha256 == data.data_sha256
    assert not plain.prompt_texts
    assert "prompt_text" not in plain.manifest["settings"]["corpus"]["columns"]


def test_two_texts_of_a_prompt_are_one_line_a_prompt_that_quotes_neither(tmp_path: Path) -> None:
    rows = rows_with_texts()
    for row in (9, 13, 17, 10):
        rows[row][4] = "PROMPTSECRET, another one"
    with pytest.raises(InputError) as caught:
        prepared(tmp_path, rows)
    line = str(caught.value)
    what = "the text of what the prompt 'P1' asked is not that in row 2"
    assert f"row 10 (line 20), column 'asked': {what}" in line
    assert "row 11 (line 22), column 'asked': the text of what the prompt 'P2' asked" in line
    assert "2 faults in all" in line
    assert "PROMPTSECRET" not in line


def test_a_locked_table_may_hold_them_and_may_not_contradict(tmp_path: Path) -> None:
    settings = table_settings(columns=COLUMNS, locked="locked.csv")
    others = [[f"l{i}", f"{row[1]} locked {i}", "P9", row[3], ASKED.format("P9")]
              for i, row in enumerate(made_rows(4))]  # fmt: skip
    write_csv(tmp_path / "locked.csv", [row[:4] for row in others])
    assert "P9" not in prepared(tmp_path, rows_with_texts(), settings).prompt_texts
    write_csv(tmp_path / "locked.csv", others, [*HEADER, "asked"])
    assert prepared(tmp_path, rows_with_texts(), settings).prompt_texts["P9"]
    others[2][2] = "P1"
    write_csv(tmp_path / "locked.csv", others, [*HEADER, "asked"])
    with pytest.raises(InputError, match=r"locked\.csv, row 3 .*'P1' asked is not that in row 2"):
        prepared(tmp_path, rows_with_texts(), settings)


def test_prompts_that_are_merged_asked_one_thing(tmp_path: Path) -> None:
    rows = rows_with_texts()
    for row in rows:
        row[2] = {"P0": "Working from home", "P1": "Working from hone"}.get(row[2], row[2])
    merge = table_settings(columns=COLUMNS).model_copy(
        update={"preparation": Preparation(min_words=0, similar_prompts="merge")}
    )
    with pytest.raises(InputError, match=r"would be merged with .*, and asked something else"):
        prepared(tmp_path, rows, merge)
    for row in rows:
        row[4] = row[4] if row[2] != "Working from hone" else ASKED.format("P0")
    assert len(prepared(tmp_path, rows, merge).prompt_texts) == 3


def test_a_run_is_of_its_prompts_texts_and_the_config_may_not_contradict(tmp_path: Path) -> None:
    data = prepared(tmp_path, rows_with_texts())

    def asked(*overrides: str) -> Any:
        config = with_prompt_texts(smoke_config("mean", *overrides), data)
        return config.features.prompt_texts

    assert asked() == {f"P{n}": ASKED.format(f"P{n}") for n in range(4)}
    same = f"features.prompt_texts={{p1 = '{ASKED.format('P1')}', P7 = 'Why?'}}"
    assert asked(same).keys() == {"p1", "P7", "P0", "P2", "P3"}
    with pytest.raises(InputError, match=r"'P1' asked is not that in features\.prompt_texts"):
        asked("features.prompt_texts={P1 = 'Why not?'}")
    without = prepared(tmp_path, rows_with_texts(), table_settings())
    config = smoke_config("mean")
    assert with_prompt_texts(config, without) is config


def test_a_fault_is_told_once_a_prompt() -> None:
    texts = PromptTexts({"Task": "Why?"}, "of training")
    told = [texts.fault("task", text, row) for row, text in enumerate(("why?", "How?", "Who?"), 1)]
    assert [fault is None for fault in told] == [True, False, True]
