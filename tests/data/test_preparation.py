from __future__ import annotations

import csv
import logging
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress, ProgressEvent
from essay_scoring.data.data_settings import (
    DataSettings,
    Preparation,
    SplitSettings,
    SyntheticCorpus,
    TableColumns,
)
from essay_scoring.data.preparation import load_prepared, prepare
from tests.data.corpus_files import HEADER, SECRET, made_rows, table_settings, write_csv

SMALL = DataSettings(
    corpus=SyntheticCorpus(n_essays=30, n_locked=6, n_prompts=4), splits=SplitSettings(n_splits=2)
)


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_folder_holds_the_contract_and_no_locked_score(tmp_path: Path) -> None:
    prepared = prepare(SMALL, tmp_path, tmp_path / "out", Progress())
    assert prepared.folder.parent == tmp_path / "out"
    assert prepared.folder.name == f"synthetic-{prepared.manifest['fingerprint'][:12]}"
    assert set(_bytes(prepared.folder)) == {
        "train.parquet",
        "locked.parquet",
        "rows_dropped.csv",
        "splits.json",
        "reports/dataset_integrity_report.md",
        "prepared.json",
    }
    from pyarrow import parquet

    assert parquet.read_schema(prepared.folder / "locked.parquet").names == ["id", "text", "prompt"]
    files = prepared.manifest["files"]
    assert set(files) == set(_bytes(prepared.folder)) - {"prepared.json"}
    assert all(file_sha256(prepared.folder / name) == recorded for name, recorded in files.items())


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    prepared = prepare(SMALL, tmp_path, tmp_path, Progress())
    from essay_scoring.data.synthetic import generate

    made = generate(SyntheticCorpus(n_essays=30, n_locked=6, n_prompts=4), "train")
    train = prepared.train
    assert (train.essays.ids, train.essays.texts) == (made.essays.ids, made.essays.texts)
    assert (train.prompts, train.writers) == (made.prompts, made.writers)
    assert train.scores.tolist() == made.scores.tolist()
    assert train.second_scores is not None
    assert made.second_scores is not None
    assert train.second_scores.tolist() == made.second_scores.tolist()
    assert {k: v.tolist() for k, v in train.traits.items()} == {
        k: v.tolist() for k, v in made.traits.items()
    }
    assert load_prepared(prepared.folder).data_sha256 == prepared.data_sha256


def test_two_folders_of_the_same_data_have_the_same_bytes(tmp_path: Path) -> None:
    first = prepare(SMALL, tmp_path, tmp_path / "a", Progress())
    second = prepare(SMALL, tmp_path, tmp_path / "b", Progress())
    assert _bytes(first.folder) == _bytes(second.folder)


def test_rows_are_dropped_by_reason_and_listed(tmp_path: Path) -> None:
    rows = [[f"e{i}", f"{SECRET} " * (5 + i) + str(i), f"P{i % 3}", "2"] for i in range(12)]
    rows[4][2] = "  Letter "  # the prompt is excluded whatever white space is around it
    write_csv(tmp_path / "train.csv", rows)
    # Text e_i has 6 + i words. The window of 8 to 15 drops e0, e1 (6, 7) and e10, e11 (16, 17);
    # e4 goes with its prompt, and is counted there, not in the window.
    settings = table_settings().model_copy(
        update={"preparation": Preparation(exclude_prompts=("Letter",), min_words=8, max_words=15)}
    )
    prepared = prepare(settings, tmp_path, tmp_path / "out", Progress())
    assert prepared.train.essays.ids == ("e2", "e3", "e5", "e6", "e7", "e8", "e9")
    counts = {"read": 12, "after_exclusions": 11, "after_window": 7}
    assert prepared.manifest["counts"]["train"] == counts
    dropped = {"excluded_prompt": 1, "too_short": 2, "too_long": 2}
    assert prepared.manifest["dropped"]["train"] == dropped
    with (prepared.folder / "rows_dropped.csv").open(newline="", encoding="utf-8") as stream:
        listed = list(csv.reader(stream))
    assert listed == [
        ["id", "reason", "part"],
        ["e0", "too_short", "train"],
        ["e1", "too_short", "train"],
        ["e4", "excluded_prompt", "train"],
        ["e10", "too_long", "train"],
        ["e11", "too_long", "train"],
    ]


def test_a_table_with_everything(tmp_path: Path) -> None:
    rows = [
        [*row, "" if i else "3", "2.5" if i else "", " x "] for i, row in enumerate(made_rows())
    ]
    write_csv(tmp_path / "train.csv", rows, [*HEADER, "second", "Grammar", "group"])
    columns = TableColumns(
        id="id",
        text="text",
        prompt="prompt",
        score="score",
        second_score="second",
        traits=("Grammar",),
        writers=("group",),
    )
    prepared = prepare(table_settings(columns=columns), tmp_path, tmp_path, Progress())
    assert prepared.train.second_scores is not None
    assert prepared.train.second_scores[0] == 3.0
    assert np.isnan(prepared.train.second_scores[1:]).all()
    assert np.isnan(prepared.train.traits["Grammar"][0])
    assert prepared.train.writers["group"] == ("x",) * 24
    assert prepared.locked_ids == ()


def test_a_complete_folder_is_used_again(tmp_path: Path) -> None:
    first = prepare(SMALL, tmp_path, tmp_path, Progress())
    marker = (first.folder / "prepared.json").stat().st_mtime_ns
    events: list[ProgressEvent] = []
    again = prepare(SMALL, tmp_path, tmp_path, Progress(events.append))
    assert (again.folder / "prepared.json").stat().st_mtime_ns == marker
    assert events == []


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest"])
def test_a_damaged_folder_is_refused_by_load_and_built_anew_by_prepare(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = prepare(SMALL, tmp_path, tmp_path, Progress())
    whole = _bytes(prepared.folder)
    if damage == "changed":
        path = prepared.folder / "train.parquet"
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    elif damage == "missing":
        (prepared.folder / "splits.json").unlink()
    else:
        write_json(prepared.folder / "prepared.json", {"schema_version": 1})
    with pytest.raises(InputError, match="prepare-dataset again"):
        load_prepared(prepared.folder)
    with caplog.at_level(logging.WARNING):
        prepare(SMALL, tmp_path, tmp_path, Progress())
    assert "built again" in caplog.text
    assert _bytes(prepared.folder) == whole


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    name = prepare(SMALL, tmp_path / "x", tmp_path / "other", Progress()).folder.name
    left = tmp_path / f".{name}.abc.partial"
    left.mkdir()
    (left / "train.parquet").write_bytes(b"half")
    prepare(SMALL, tmp_path, tmp_path, Progress())
    assert not left.exists()


def test_the_name_follows_settings_and_source_bytes(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    one = prepare(table_settings(), tmp_path, tmp_path / "out", Progress())
    other = prepare(table_settings(n_splits=3), tmp_path, tmp_path / "out", Progress())
    rows = made_rows()
    rows[0][3] = "4"
    write_csv(tmp_path / "train.csv", rows)
    changed = prepare(table_settings(), tmp_path, tmp_path / "out", Progress())
    assert len({one.folder, other.folder, changed.folder}) == 3
    # Folds are no part of the data; a score is.
    assert one.data_sha256 == other.data_sha256 != changed.data_sha256


@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_the_data_hash_covers_id_text_prompt_and_score(column: int, tmp_path: Path) -> None:
    hashes = set()
    for value in (None, ["z", "new text", "P1", "4"][column]):
        rows = made_rows()
        if value is not None:
            rows[0][column] = value
        write_csv(tmp_path / "train.csv", rows)
        hashes.add(prepare(table_settings(), tmp_path, tmp_path / "out", Progress()).data_sha256)
    assert len(hashes) == 2


def test_an_excluded_prompt_that_nobody_answers_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = SMALL.model_copy(update={"preparation": Preparation(exclude_prompts=("Lettr",))})
    with caplog.at_level(logging.WARNING):
        prepared = prepare(settings, tmp_path, tmp_path, Progress())
    assert "'Lettr' is not in the data" in caplog.text
    report = (prepared.folder / "reports/dataset_integrity_report.md").read_text(encoding="utf-8")
    assert "the excluded prompt Lettr is not in the data" in report


def _prepare_in_process(root: str) -> None:
    prepare(SMALL, Path(root), Path(root), Progress())


def test_processes_that_prepare_the_same_data_do_not_collide(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_prepare_in_process, args=(str(tmp_path),)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    folders = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert load_prepared(folders[0]).folder == folders[0]


def test_the_manifest_names_sources_by_name_and_hash_alone(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    write_csv(tmp_path / "held.csv", [["x", "another text", "P0", "1"]])
    prepared = prepare(table_settings(locked="held.csv"), tmp_path, tmp_path / "out", Progress())
    sources = read_json(prepared.folder / "prepared.json")["sources"]
    assert [source["name"] for source in sources] == ["train.csv", "held.csv"]
    assert sources[1]["sha256"] == file_sha256(tmp_path / "held.csv")
    assert str(tmp_path) not in (prepared.folder / "prepared.json").read_text(encoding="utf-8")
