from __future__ import annotations

from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from essay_scoring.cli.main import run
from tests.conftest import SMOKE
from tests.scoring.made import QUICK, new_essays, read_rows, write_essays

SETTINGS = [part for override in QUICK for part in ("--set", override)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def folders(home: Path) -> list[str]:
    names = ("runs", "cache", "models")
    return [word for name in names for word in (f"--{name}-dir", str(home / name))]


@pytest.fixture(scope="module")
def model(home: Path) -> Path:
    arguments = ["train", str(SMOKE / "length.toml"), *SETTINGS, *folders(home)]
    assert run([*arguments, "--coverage", "0.8"]) == 0
    [folder] = (home / "models").glob("smoke-length-*")
    return folder


def test_train_says_what_the_interval_is_worth(
    model: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", str(SMOKE / "length.toml"), *SETTINGS, *folders(home)]) == 0
    said = capsys.readouterr().out
    assert "5 prompts are too few for a coverage of 0.9, which takes 9" in said
    assert "of 60 essays, 5 prompts" in said
    assert len(list((home / "models").iterdir())) == 2
    assert run(["status", str(model)]) == 0


def test_score_with_other_column_names(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_essays(tmp_path / "in.csv", new_essays(3))
    content = file.read_text("utf-8").replace("id,prompt,text", "essay_id,essay_set,essay", 1)
    file.write_text(content, "utf-8")
    out = tmp_path / "out.csv"
    arguments = ["score", str(model), str(file), "-o", str(out), "--workers", "1"]
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no column 'text'" in said
    assert "--text-column" in said
    names = ["--text-column", "essay", "--prompt-column", "essay_set", "--id-column", "essay_id"]
    assert run([*arguments, *names]) == 0
    assert "scored 3 essays" in capsys.readouterr().out
    rows = read_rows(out)
    assert "essay" not in rows[0]
    assert {row["prompt_seen"] for row in rows} <= {"yes", "no"}


def test_a_bad_row_leaves_no_file(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id,prompt,text\n1,a,words\n2,a,\n", "utf-8")
    out = str(tmp_path / "out.csv")
    assert run(["score", str(model), str(file), "-o", out, "--id-column", "id"]) == 2
    said = capsys.readouterr().err
    assert "in.csv, row 2 (line 3), column 'text', id '2': the text is blank. To mend:" in said
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_an_edited_model_is_refused_in_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_essays(tmp_path / "in.csv", new_essays(1))
    link = model / "notes.json"
    link.symlink_to("/etc/passwd")
    try:
        assert run(["score", str(model), str(file), "-o", str(tmp_path / "out.csv")]) == 2
    finally:
        link.unlink()
    said = capsys.readouterr().err
    assert "notes.json: a symbolic link" in said
    assert said.count("\n") == 1


def test_parquet_is_read_and_written_by_its_ending(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    essays = new_essays(2)
    columns = {"prompt": list(essays.prompts), "text": list(essays.texts), "n": [1, 2]}
    file, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    parquet.write_table(pyarrow.table(columns), file)
    arguments = ["score", str(model), str(file), "--workers", "1", "-o"]
    assert run([*arguments, str(out)]) == 0
    found = parquet.read_table(out)
    assert found["n"].to_pylist() == [1, 2]
    assert "text" not in found.column_names
    assert run([*arguments, str(tmp_path / "out.json")]) == 2
    said = capsys.readouterr().err
    assert "the output is written as CSV or Parquet. To mend: name it NAME.csv" in said
    file.write_bytes(b"PAR1")
    assert run([*arguments, str(tmp_path / "again.parquet")]) == 2
    said = capsys.readouterr().err
    assert "in.parquet: not a Parquet file" in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]
