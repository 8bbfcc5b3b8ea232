from __future__ import annotations

import csv
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import try_lock
from essay_scoring.core.progress import Progress
from essay_scoring.data.cells import id_cells
from essay_scoring.data.tables import read_table
from essay_scoring.records.manifest import write_manifest
from essay_scoring.scoring.model import COLUMNS, TrainedModel
from essay_scoring.scoring.score_file import PART_ROWS, ScoreRequest, score_file
from tests.conftest import PATIENCE
from tests.scoring.made import new_essays, quick_config, read_rows, train, write_essays

HOSTILE = ("=1+1", "+SUM(A1)", "-cmd", "@x", "\tx", "\rx", "-5", "+1.5e3", "fine, so far", "'=1")
N = 3 * PART_ROWS + 5


def score(model: Path, file: Path, out: Path, workers: int = 1, *, keep_text: bool = False) -> Path:
    request = ScoreRequest(model, file, out, keep_text=keep_text)
    score_file(request, out.parent, Progress(), workers=workers)
    return out


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    return write_essays(folder / "in.csv", new_essays(N), HOSTILE)


@pytest.fixture(scope="module")
def whole(length_model: Path, table: Path) -> Path:
    return score(length_model, table, table.parent / "whole.csv")


def test_the_table_keeps_its_columns_but_the_essays(whole: Path, table: Path) -> None:
    rows = read_rows(whole)
    assert list(rows[0]) == ["id", "prompt", "note", *COLUMNS]
    assert [row["id"] for row in rows] == [row["id"] for row in read_rows(table)]
    essays = new_essays(N)
    assert not any(text[100:150] in whole.read_text("utf-8") for text in essays.texts)


def test_cells_are_the_models_scores(whole: Path, length_model: Path) -> None:
    scored = TrainedModel(length_model).score(new_essays(N))
    for row, one in zip(read_rows(whole), scored, strict=True):
        assert [row[name] for name in COLUMNS] == one.cells()
        assert float(row["interval_low"]) <= float(row["predicted_band"])
        assert float(row["predicted_band"]) <= float(row["interval_high"])
        assert float(row["predicted_band"]) * 2 == int(float(row["predicted_band"]) * 2)


def test_no_cell_is_a_formula_and_numbers_stay_numbers(whole: Path) -> None:
    notes = [row["note"] for row in read_rows(whole)][: len(HOSTILE)]
    assert notes == [*(f"'{cell}" for cell in HOSTILE[:6]), *HOSTILE[6:9], "''=1"]
    with whole.open(newline="", encoding="utf-8") as stream:
        for row in csv.reader(stream):
            for cell in row:
                assert not cell.startswith(("=", "@", "\t", "\r")), cell
                if cell.startswith(("+", "-")):
                    float(cell)


def test_one_worker_or_two_give_the_same_bytes(
    whole: Path, table: Path, length_model: Path, tmp_path: Path
) -> None:
    two = score(length_model, table, tmp_path / "two.csv", workers=2)
    assert two.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["two.csv"]


@pytest.mark.slow
def test_columns_and_encoders_give_the_same_bytes_too(tmp_path: Path, warm_cache: Path) -> None:
    model = train(quick_config("ridge"), tmp_path, warm_cache)
    essays = new_essays(PART_ROWS + 4)
    file = write_essays(tmp_path / "in.csv", essays)
    one, two = (score(model, file, tmp_path / f"{n}.csv", workers=n) for n in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    turned = TrainedModel(model, warm_cache).score(essays.take(range(len(essays) - 1, -1, -1)))
    cells = [[row[name] for name in COLUMNS] for row in read_rows(one)]
    assert cells == [scored.cells() for scored in reversed(turned)]


def test_ten_pieces_give_the_bytes_of_one(whole: Path, length_model: Path, tmp_path: Path) -> None:
    essays, model = new_essays(N), TrainedModel(length_model)
    cells: list[list[str]] = []
    for piece in range(10):
        cells += [one.cells() for one in model.score(essays.take(range(piece, N, 10)))]
    order = [row for piece in range(10) for row in range(piece, N, 10)]
    by_row = dict(zip(order, cells, strict=True))
    read = read_rows(whole)
    assert [[row[name] for name in COLUMNS] for row in read] == [by_row[row] for row in range(N)]
    first = write_essays(tmp_path / "a.csv", essays.take(range(10)), HOSTILE)
    # Ten notes repeat every ten rows, so rows 10 to 19 alone are written with the same notes.
    second = write_essays(tmp_path / "b.csv", essays.take(range(10, 20)), HOSTILE)
    parts = [score(length_model, path, path.with_suffix(".out.csv")) for path in (first, second)]
    joined = b"".join(part.read_bytes().split(b"\n", 1)[1] for part in parts)
    assert whole.read_bytes().split(b"\n", 1)[1].startswith(joined)


def test_a_killed_command_goes_on_to_the_same_bytes(length_model: Path, tmp_path: Path) -> None:
    n = 40 * PART_ROWS
    few = new_essays(40)
    essays = Essays(
        tuple(f"e{row}" for row in range(n)),
        tuple(few.texts[row % 40] for row in range(n)),
        tuple(few.prompts[row % 40] for row in range(n)),
    )
    file = write_essays(tmp_path / "in.csv", essays)
    expected = score(length_model, file, tmp_path / "expected.csv").read_bytes()
    out = tmp_path / "out.csv"
    parts = tmp_path / ".out.csv.parts"
    code = "from essay_scoring.cli.main import program; program()"
    command = [sys.executable, "-c", code, "score", str(length_model), str(file), "-o", str(out)]
    with subprocess.Popen([*command, "--workers", "2"]) as process:
        deadline = time.monotonic() + PATIENCE
        while not list(parts.glob("part-*3.csv")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    kept = {path: path.stat().st_ino for path in parts.glob("part-*.csv")}
    (parts / ".part-0000001.csv.half").write_text("half written")
    touched: list[Path] = []

    def look(_: object) -> None:
        touched.extend(path for path in kept if path.stat().st_ino != kept[path])

    score_file(ScoreRequest(length_model, file, out), tmp_path, Progress(look), workers=1)
    assert out.read_bytes() == expected
    assert 0 < len(kept) < 40
    assert touched == []
    assert not parts.exists()


def test_parts_of_other_work_are_not_used(
    length_model: Path, table: Path, whole: Path, tmp_path: Path
) -> None:
    parts = tmp_path / ".out.csv.parts"
    parts.mkdir()
    (parts / "request.json").write_text('"other work"\n')
    (parts / "part-0000000.csv").write_text("nonsense\n")
    out = score(length_model, table, tmp_path / "out.csv")
    assert out.read_bytes() == whole.read_bytes()


def test_a_failure_in_a_worker_is_told_in_its_own_line(
    length_model: Path, table: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(length_model, model)
    # Refused by workers alone: the command itself reads no weights.
    weights = model / "scorer" / "model" / "model.safetensors"
    weights.write_bytes(b"no weights")
    write_manifest(model)
    with pytest.raises(InputError) as refused:
        score(model, table, tmp_path / "out.csv")
    assert "its sha256 is not the one in scorer.json. To mend: restore" in refused.value.line()
    assert not (tmp_path / "out.csv").exists()


def test_the_text_is_kept_when_asked_for(length_model: Path, tmp_path: Path) -> None:
    few = new_essays(3)
    essays = Essays(few.ids, ("=" + few.texts[0], *few.texts[1:]), few.prompts)
    file = write_essays(tmp_path / "in.csv", essays)
    rows = read_rows(score(length_model, file, tmp_path / "out.csv", keep_text=True))
    assert rows[0]["text"] == "'=" + few.texts[0]
    assert rows[1]["text"] == few.texts[1]


def test_what_cannot_be_written_is_refused_before_scoring(
    length_model: Path, table: Path, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="would replace the input"):
        score(length_model, table, table.parent / "." / "in.csv")
    with pytest.raises(InputError, match="written as CSV"):
        score(length_model, table, tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="inside the finished run"):
        score(length_model, table, length_model / "out.csv")
    scored = write_essays(tmp_path / "again.csv", new_essays(1))
    scored.write_text(scored.read_text("utf-8").replace("note", "predicted_band"), "utf-8")
    with pytest.raises(InputError, match="column 'predicted_band' already"):
        score(length_model, scored, tmp_path / "out.csv")
    with (
        try_lock(tmp_path / ".out.csv.parts" / ".lock"),
        pytest.raises(BusyError, match="another process"),
    ):
        score(length_model, table, tmp_path / "out.csv")


def test_a_prompt_of_training_is_known_in_any_spelling(
    length_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, essays = TrainedModel(length_model), new_essays(3)
    name = model.flags.facts.prompts[0]
    file = tmp_path / "in.csv"
    spellings = (f" {name.upper()}", name.replace(" ", "\u00a0"), f"{name[:-1]}")
    write_essays(file, Essays(essays.ids, essays.texts, spellings))
    with caplog.at_level(logging.WARNING):
        rows = read_rows(score(length_model, file, tmp_path / "out.csv"))
    assert [row["prompt_seen"] for row in rows] == ["yes", "yes", "no"]
    assert f"{name!r} and {name[:-1]!r}" in caplog.text


def test_ids_of_the_output_come_back_as_they_were(length_model: Path, tmp_path: Path) -> None:
    essays = new_essays(3)
    ids = ("-1e", "+b", "@c")
    file = tmp_path / "in.csv"
    write_essays(file, Essays(ids, essays.texts, essays.prompts))
    table = read_table(score(length_model, file, tmp_path / "out.csv"))
    assert id_cells(table, "id") == ids
