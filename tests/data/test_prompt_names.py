"""Prompts by other names: spellings that are one, and names that may be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.data.data_settings import DataSettings, Preparation
from essay_scoring.data.locked import open_locked
from essay_scoring.data.preparation import prepare
from essay_scoring.data.prepared import PreparedData
from essay_scoring.data.prompt_names import merged, near_names, one_spelling, respelled
from tests.data.corpus_files import made_rows, table_settings, write_csv


def test_spellings_of_most_essays_or_of_the_scales_stand_for_the_others() -> None:
    names = one_spelling(["Sea side", "sea  side", "Sea side", "SEA\u00a0SIDE", "Hills"])
    assert set(names.values()) == {"Sea side", "Hills"}
    assert respelled(names) == {"Sea side": ["sea  side", "SEA\u00a0SIDE"]}
    assert one_spelling(["Hills", "hills"], ["HILLS"])["hills"] == "HILLS"


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("Distance learning", "Distance lerning"),
        ("Distance learning", "Distnace learning"),
        ("Distance learning", "Distance-learning"),
        ("Distance learning.", "Distance learning"),
        ("Should cars be banned from towns?", "Should cars be baned from town?"),
    ],
)
def test_names_that_a_typing_error_may_have_made(first: str, other: str) -> None:
    assert near_names([first, other]) == [(first, other)]


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("Prompt 1", "Prompt 2"),
        ("Task A", "Task B"),
        ("Part II", "Part III"),
        ("P10", "P11"),
        ("Letter", "Litter box"),
        ("Summer", "Winter"),
        ("essay 1 of 2019", "essay 1 of 2020"),
        ("1", "2"),
    ],
)
def test_names_that_are_counted_or_unlike_are_different_prompts(first: str, other: str) -> None:
    assert near_names([first, other]) == []


def test_names_as_long_as_essays_are_compared_too() -> None:
    long = "because " * 5000
    other = f"b{long[1:-4]}usx "
    assert near_names([long, other]) == [(long, other)]
    assert near_names([long, long[:-5], "x" * 70_000]) == []


def test_near_names_are_merged_as_a_group() -> None:
    prompts = ["school trips", *["school trip"] * 2, "shool trip"]
    names = merged(near_names(prompts), prompts)
    assert set(names.values()) == {"school trip"}


def _prepared(folder: Path, names: list[str], preparation: Preparation) -> PreparedData:
    rows = made_rows(n_prompts=4)
    for row, name in zip(rows, names * 12, strict=False):
        row[2] = name
    write_csv(folder / "train.csv", rows)
    write_csv(folder / "held.csv", [["x0", "another text", names[0].upper(), "1"]])
    settings = table_settings(locked="held.csv").model_copy(update={"preparation": preparation})
    return prepare(settings, folder, folder / "out", Progress())


SPELLED = ["Night walks", "Old maps", "night walks", "OLD\u00a0MAPS", "Big cats", "big  cats"]


def test_a_prompt_in_several_spellings_is_one_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        prepared = _prepared(tmp_path, SPELLED, Preparation(min_words=0))
    assert set(prepared.train.prompts) == {"Night walks", "Old maps", "Big cats"}
    assert "3 prompts are spelled in several ways and count as one" in caplog.text
    report = (prepared.folder / "reports/dataset_integrity_report.md").read_text("utf-8")
    assert "'Old maps' (also 'OLD" in report
    assert open_locked(prepared, tmp_path).prompts == ("Night walks",)


def test_an_excluded_prompt_goes_in_every_spelling(tmp_path: Path) -> None:
    preparation = Preparation(min_words=0, exclude_prompts=("NIGHT WALKS",))
    prepared = _prepared(tmp_path, SPELLED, preparation)
    assert set(prepared.train.prompts) == {"Old maps", "Big cats"}


TYPED = ["Night walks", "Old maps", "Nigth walks", "Big cats"]


def test_nearly_equal_prompts_are_named_and_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'Night walks' and 'Nigth walks'") as caught:
        _prepared(tmp_path, TYPED, Preparation(min_words=0))
    assert "similar_prompts to 'merge'" in str(caught.value)


def test_nearly_equal_prompts_are_merged_or_kept_apart(tmp_path: Path) -> None:
    merge = Preparation(min_words=0, similar_prompts="merge")
    prepared = _prepared(tmp_path, TYPED, merge)
    assert set(prepared.train.prompts) == {"Night walks", "Old maps", "Big cats"}
    assert open_locked(prepared, tmp_path).prompts == ("Night walks",)
    keep = Preparation(min_words=0, similar_prompts="keep")
    assert len(set(_prepared(tmp_path, TYPED, keep).train.prompts)) == 4


def test_scales_by_prompt_are_found_in_any_spelling(tmp_path: Path) -> None:
    rows = made_rows(n_prompts=3)
    for row in rows:
        row[2] = {"P0": "big cats", "P1": "Old\u00a0maps", "P2": "OLD MAPS"}[row[2]]
    write_csv(tmp_path / "train.csv", rows)
    scale = ScoreScale(low=1, high=4)
    scales = ScoreScales(by_prompt={"Big cats": scale, "old maps": scale})
    settings: DataSettings = table_settings(scales=scales)
    prepared = prepare(settings, tmp_path, tmp_path / "out", Progress())
    assert set(prepared.train.prompts) == {"Big cats", "old maps"}
