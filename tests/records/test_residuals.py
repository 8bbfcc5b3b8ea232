from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.spreadsheets import harmless_cell
from essay_scoring.records.residuals import COLUMNS, STEM, read_residuals, write_residuals
from tests.statistics.made import HALVES, MIXED, made_predictions, of_scores

HOSTILE = [
    "plain",
    'quote " and, comma',
    "line\nbreak\r\nand\rreturn",
    "=cmd()|'/c calc'!A0",
    "<script>alert(1)</script>",
    " space ",
    "\u202e\u05d0",
    "",
]
SUFFIXES = ["csv", "jsonl"]


def written(folder: Path) -> list[str]:
    predictions = of_scores([3, 3], [3.5, 2.0])
    table, _ = write_residuals(folder, predictions, "prompt_holdout", {})
    return table.read_text(encoding="utf-8").splitlines()


def test_the_columns_are_the_contract(tmp_path: Path) -> None:
    header, first, second = written(tmp_path)
    assert header == (
        "split,fold,record_id,prompt,y_true,y_pred_raw,y_pred,residual,abs_residual,"
        "within_half_band,word_count,grammar_errors_per_100_words,spelling_errors_per_100_words,"
        "punctuation_errors_per_100_words,prompt_similarity"
    )
    # Predicted minus true: 3.5 - 3 is +0.5 (one step: within); 2 - 3 is -1 (two steps: not).
    assert first == "prompt_holdout,0,e0,p,3.0,3.5,3.5,0.5,0.5,True,,,,,"
    assert second == "prompt_holdout,0,e1,p,3.0,2.0,2.0,-1.0,1.0,False,,,,,"


def test_the_json_lines_say_the_same(tmp_path: Path) -> None:
    written(tmp_path)
    lines = (tmp_path / f"{STEM}.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[1])
    assert tuple(record) == COLUMNS
    assert (record["residual"], record["within_half_band"]) == (-1.0, False)
    assert record["word_count"] is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_comes_back_exactly(tmp_path: Path, suffix: str) -> None:
    predictions = made_predictions(200, n_prompts=4, scales=MIXED)
    counts = np.arange(200.0)
    counts[3] = np.nan
    write_residuals(tmp_path, predictions, "stratified_text", {"word_count": counts})
    found = read_residuals(tmp_path / f"{STEM}.{suffix}", MIXED)
    assert found.scheme == "stratified_text"
    assert (found.predictions.ids, found.predictions.prompts) == (
        predictions.ids,
        predictions.prompts,
    )
    for name in ("folds", "true", "raw", "final"):
        back = getattr(found.predictions, name)
        assert np.array_equal(back, getattr(predictions, name))
        assert back.dtype == getattr(predictions, name).dtype
    assert np.array_equal(found.covariates["word_count"], counts, equal_nan=True)
    assert np.isnan(found.covariates["prompt_similarity"]).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hostile_prompts_come_back(tmp_path: Path, suffix: str) -> None:
    scores = [3.0] * len(HOSTILE)
    write_residuals(tmp_path, of_scores(scores, scores, prompts=HOSTILE), "s", {})
    found = read_residuals(tmp_path / f"{STEM}.{suffix}", HALVES)
    assert list(found.predictions.prompts) == HOSTILE


def test_another_csv_reader_agrees(tmp_path: Path) -> None:
    scores = [3.0] * len(HOSTILE)
    table, _ = write_residuals(tmp_path, of_scores(scores, scores, prompts=HOSTILE), "s", {})
    with table.open(encoding="utf-8", newline="") as stream:
        prompts = [row["prompt"] for row in csv.DictReader(stream)]
    # A spreadsheet would run a cell that begins as a formula does: it is text after an apostrophe.
    assert prompts == [harmless_cell(name) for name in HOSTILE]
    assert prompts != HOSTILE


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_residuals(tmp_path / folder, made_predictions(), "s", {})
    for suffix in SUFFIXES:
        one, other = ((tmp_path / f / f"{STEM}.{suffix}").read_bytes() for f in ("a", "b"))
        assert one == other


def test_only_named_covariates_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="full_text"):
        write_residuals(tmp_path, of_scores([3], [3]), "s", {"full_text": np.ones(1)})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("e0,p,3.0,3.5,3.5", "e0,p,3.1,3.5,3.5", "row 1: column y_true is not a score"),
        ("e1,p,3.0,2.0,2.0", "e1,p,3.0,2.0,2.2", "row 2: column y_pred is not a score"),
        ("e0,p,3.0,3.5", "e0,p,3.0,nan", "row 1: column y_pred_raw is not a number"),
        ("e0,p,3.0,3.5", "e0,p,3.0,inf", "row 1: column y_pred_raw is not a number"),
        ("e0,p,3.0,3.5", "e0,p,,3.5", "row 1: column y_true is not a number"),
        ("holdout,0,e1", "holdout,0.5,e1", "row 2: column fold is not a fold number"),
        ("holdout,0,e1", "holdout,1e300,e1", "row 2: column fold is not a fold number"),
        ("e1,p", "e0,p", "a record_id occurs twice"),
        ("e1,p", "e1,p,p", "row 2: 16 fields, not 15"),
        ("prompt_holdout,0,e1", "other,0,e1", "2 values in column split"),
        ("y_pred_raw", "y_raw", "its columns are not those of a residual file"),
        ("e1,p,", 'e1,"p,', "not a CSV file"),
        ("False,,", "False,many,", "row 2: column word_count is not a number"),
    ],
)
def test_faults_of_a_csv_name_row_and_column(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = "\n".join(written(tmp_path)) + "\n"
    assert old in text
    path = tmp_path / "edited.csv"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        read_residuals(path, HALVES)
    assert "edited.csv" in caught.value.line()
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no rows"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{oops\n", "row 1: not valid JSON"),
        (b"[1, 2]\n", "row 1: not a residual record"),
        (b'{"split": "s"}\n', "row 1: not a residual record"),
    ],
)
def test_faults_of_json_lines_name_the_row(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "edited.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_residuals(path, HALVES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_absent_or_empty_file_is_told(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="no such residual file"):
        read_residuals(tmp_path / f"x.{suffix}", HALVES)
    (tmp_path / f"x.{suffix}").write_text("")
    with pytest.raises(InputError):
        read_residuals(tmp_path / f"x.{suffix}", HALVES)
