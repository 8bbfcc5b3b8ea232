"""Scores as people have them: means, labels, several raters, repeated texts, uneven folds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.core.text import name_key
from essay_scoring.data.data_settings import DataSettings, Preparation, TableColumns, TableCorpus
from essay_scoring.data.preparation import load_prepared, prepare
from essay_scoring.data.prepared import PreparedData
from tests.data.corpus_files import HEADER, SECRET, made_rows, table_settings, write_csv

Rows = list[list[str]]
WRONG = ["0", "", "-2", "heavy", "1e300"]


def _prepared(
    folder: Path, rows: Rows, settings: DataSettings | None = None, more: tuple[str, ...] = ()
) -> PreparedData:
    write_csv(folder / "train.csv", rows, [*HEADER, *more])
    return prepare(settings or table_settings(), folder, folder / "out", Progress())


def _columns(**more: Any) -> TableColumns:
    return TableColumns(id="id", text="text", prompt="prompt", score="score", **more)


def _with(preparation: Preparation, **corpus: Any) -> DataSettings:
    return table_settings(**corpus).model_copy(update={"preparation": preparation})


def test_means_are_learnt_as_they_are_and_judged_as_labels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = made_rows()
    for row in rows[:12]:
        row[3] = "2.67"
    with caplog.at_level(logging.WARNING):
        prepared = _prepared(tmp_path, rows)
    train = load_prepared(prepared.folder).train
    assert train.scores[:13].tolist() == [3.0] * 12 + [1.0]
    # On the training scale 0 to 4, 2.67 of 1 to 4 is 4 * 1.67 / 3.
    np.testing.assert_allclose(train.targets[:12], 4 * 1.67 / 3)
    assert train.targets[12] == 0.0
    assert "12 of 24 scores lie between the labels" in caplog.text
    assert any("12 of 24 essays are learnt" in note for note in prepared.manifest["notes"])


def test_real_scores_can_be_said_and_refused(tmp_path: Path) -> None:
    rows = made_rows()
    rows[3][3] = "2.5"
    with pytest.raises(InputError, match=r"row 4 .*2.5 is not on a step .* real_scores = true"):
        _prepared(tmp_path, rows)
    train = _prepared(tmp_path, rows, table_settings(real_scores=True)).train
    assert (train.scores[3], train.targets[3]) == (3.0, 2.0)
    for row in rows:
        row[3] = "2.5"
    with pytest.raises(InputError, match="24 faults in all"):
        _prepared(tmp_path, rows, table_settings(real_scores=False))


@pytest.mark.parametrize("raters", ["first", "mean"])
def test_a_row_for_each_rater_becomes_an_essay_with_both(raters: str, tmp_path: Path) -> None:
    rows = [[*row, rater] for row in made_rows(12) for rater in ("r1", "r2")]
    rows[1][3], rows[3][3] = "4", "2"
    del rows[-1]
    settings = table_settings(columns=_columns(rater="rater"), raters=raters)
    train = _prepared(tmp_path, rows, settings, ("rater",)).train
    assert train.essays.ids == tuple(f"e{n}" for n in range(12))
    assert train.scores.tolist() == [1.0, 2.0, 3.0] * 4
    assert train.second_scores is not None
    assert train.second_scores[:3].tolist() == [4.0, 2.0, 3.0]
    assert np.isnan(train.second_scores[-1])
    # The mean of 1 and 4 is half the way from 1 to 4.
    assert train.targets[0] == (2.0 if raters == "mean" else 0.0)
    assert train.targets[11] == pytest.approx(4 * 2 / 3)


def test_raters_rows_that_do_not_belong_together_are_faults(tmp_path: Path) -> None:
    rows = [[*row, rater] for row in made_rows(12) for rater in ("r1", "r2")]
    rows[1][4] = "r1"
    rows[3][1] = f"{SECRET} another text"
    settings = table_settings(columns=_columns(rater="rater"))
    with pytest.raises(InputError) as caught:
        _prepared(tmp_path, rows, settings, ("rater",))
    assert "the rater 'r1' already scored this essay in row 1" in str(caught.value)
    assert "the essay has another text or prompt than row 3" in str(caught.value)
    assert SECRET not in str(caught.value)
    with pytest.raises(InputError, match=r"data\.corpus\.columns\.rater"):
        _prepared(tmp_path, rows, None, ("rater",))


def test_the_mean_of_two_columns_of_raters_can_be_learnt(tmp_path: Path) -> None:
    rows = [[*row, "" if at else "3"] for at, row in enumerate(made_rows())]
    settings = table_settings(columns=_columns(second_score="second"), raters="mean")
    train = _prepared(tmp_path, rows, settings, ("second",)).train
    # 1 and 3 of 1 to 4: the mean, 2, is a third of the way.
    assert train.targets[0] == pytest.approx(4 / 3)
    assert train.targets[1] == pytest.approx(4 / 3)
    assert train.scores[0] == 1.0


def test_the_mean_of_three_columns_is_of_those_that_scored(tmp_path: Path) -> None:
    rows = [[*row, "3", "" if at else "2"] for at, row in enumerate(made_rows())]
    columns = _columns(second_score="second", further_scores=("third",))
    settings = table_settings(columns=columns, raters="mean")
    train = _prepared(tmp_path, rows, settings, ("second", "third")).train
    # 1, 3 and 2 of 1 to 4, then the two that the row holds.
    assert train.targets[0] == pytest.approx(4 / 3)
    both = (train.scores[1] + 3) / 2
    assert train.targets[1] == pytest.approx((both - 1) * 4 / 3)
    assert train.second_scores is not None
    assert set(train.second_scores) == {3.0}


@pytest.mark.parametrize("more", [{}, {"second_score": "second", "rater": "who"}])
def test_further_raters_stand_after_the_second_in_columns(more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="further_scores are of raters after the second"):
        _columns(further_scores=("third",), **more)


LABELS = ("weak", "fair", "good", "very good")


def test_ordered_labels_are_scores(tmp_path: Path) -> None:
    rows = [[*row[:3], LABELS[int(row[3])]] for row in made_rows()]
    rows[0][3] = "FAIR "
    columns = _columns()
    corpus = TableCorpus.model_validate(
        {"path": "train.csv", "columns": columns.model_dump(), "labels": LABELS}
    )
    settings = table_settings().model_copy(update={"corpus": corpus})
    prepared = _prepared(tmp_path, rows, settings)
    train = prepared.train
    assert prepared.manifest["notes"] == [
        "scores are labels: weak = 1, fair = 2, good = 3, very good = 4"
    ]
    assert train.scores[:3].tolist() == [2.0, 3.0, 4.0]
    assert train.scales.shared is not None
    assert train.scales.shared.span == "1 to 4 by 1"
    rows[1][3] = "superb"
    with pytest.raises(InputError, match=r"row 2 .*'superb' is none of the labels weak, fair"):
        _prepared(tmp_path, rows, settings)


def test_labels_are_named_where_no_cell_is_a_number(tmp_path: Path) -> None:
    rows = [[*row[:3], "B1" if int(row[3]) > 1 else "A2"] for row in made_rows()]
    with pytest.raises(InputError, match=r"nor is any other of 24 cells.*labels = \['A2', 'B1'\]"):
        _prepared(tmp_path, rows)
    with pytest.raises(ValueError, match="3 labels need one scale of as many scores"):
        table_settings(labels=("a", "b", "c"))


def test_weights_of_essays_are_kept_for_training_and_no_other_data_moves(tmp_path: Path) -> None:
    weighted = [[*row, "3.5" if at % 2 else "0.5"] for at, row in enumerate(made_rows())]
    plain = _prepared(tmp_path, weighted, more=("w",))
    assert plain.train.weights is None
    # As it was before there were weights: the folder of data keeps its name.
    assert "weight" not in plain.manifest["settings"]["corpus"]["columns"]
    prepared = _prepared(tmp_path, weighted, table_settings(columns=_columns(weight="w")), ("w",))
    weights = load_prepared(prepared.folder).train.weights
    assert weights is not None
    assert weights[:3].tolist() == [0.5, 3.5, 0.5]
    assert prepared.data_sha256 != plain.data_sha256
    # Kish: (12 * 4)^2 / (12 * (0.25 + 12.25)) = 15.36.
    assert any(
        "0.5 to 3.5: 24 essays are worth 15 of equal weight" in note
        for note in prepared.manifest["notes"]
    )


def test_weights_that_are_none_are_told_with_their_rows(tmp_path: Path) -> None:
    rows = [[*row, weight] for row, weight in zip(made_rows(), ["1"] * 19 + WRONG, strict=True)]
    with pytest.raises(InputError) as caught:
        _prepared(tmp_path, rows, table_settings(columns=_columns(weight="w")), ("w",))
    line = str(caught.value)
    for what in (
        "row 20 (line 40), column 'w': the weight 0 is not greater than 0",
        "row 21 (line 42), column 'w': the weight is missing",
        "row 22 (line 44), column 'w': the weight -2 is not greater than 0",
        "row 23 (line 46), column 'w': 'heavy' is not a number",
        "row 24 (line 48), column 'w': the weight 1e+300 is not from 1e-12 to 1e+12",
        "5 faults in all. To mend: give a weight greater than 0, or remove the row",
    ):
        assert what in line


def test_rows_of_one_essay_have_one_weight(tmp_path: Path) -> None:
    rows = [[*row, rater, "2"] for row in made_rows(12) for rater in ("r1", "r2")]
    settings = table_settings(columns=_columns(rater="rater", weight="w"))
    train = _prepared(tmp_path, rows, settings, ("rater", "w")).train
    assert train.weights is not None
    assert train.weights.tolist() == [2.0] * 12
    rows[3][5] = "1"
    with pytest.raises(InputError, match=r"row 4 .*another weight than in row 3"):
        _prepared(tmp_path, rows, settings, ("rater", "w"))


def test_training_without_prompts_is_refused_with_the_reason(tmp_path: Path) -> None:
    rows = [[row[0], row[1], row[3]] for row in made_rows()]
    write_csv(tmp_path / "train.csv", rows, ["id", "text", "score"])
    for name in ("prompt", None):
        settings = table_settings(columns=_columns().model_copy(update={"prompt": name}))
        with pytest.raises(InputError, match="judged on prompts that it has not seen"):
            prepare(settings, tmp_path, tmp_path / "out", Progress())


def _repeated() -> Rows:
    """Return rows in which the texts of 0 and 4 (scores 1, 2), and 1 and 5 (2, 3), are one."""
    rows = made_rows()
    rows[4][1], rows[5][1] = rows[0][1], f"\u200b{rows[1][1]} "
    return rows


@pytest.mark.parametrize(
    ("repeats", "gone"),
    [("keep", ()), ("first", (4, 5)), ("mean", (4, 5)), ("drop", (0, 1, 4, 5))],
)
def test_repeated_texts_with_unlike_scores(
    repeats: Any, gone: tuple[int, ...], tmp_path: Path
) -> None:
    settings = _with(Preparation(min_words=0, repeats=repeats))
    prepared = _prepared(tmp_path, _repeated(), settings)
    assert prepared.train.essays.ids == tuple(f"e{n}" for n in range(24) if n not in gone)
    (note,) = [note for note in prepared.manifest["notes"] if "more than once" in note]
    assert "more than once: 2, with unlike scores: 2; 'e0' 1, 'e4' 2; 'e1' 2, 'e5' 3" in note
    if repeats == "mean":
        # 1.5 of 1 to 4; halves go up.
        assert prepared.train.targets[0] == pytest.approx(4 / 6)
        assert prepared.train.scores[0] == 2.0
    listed = (prepared.folder / "rows_dropped.csv").read_text("utf-8")
    assert listed.count("repeated_text") == len(gone)


def test_one_refusal_under_every_prompt_is_named(tmp_path: Path) -> None:
    rows = made_rows()
    for row in rows[:4]:
        row[1] = "I do not know"
    with pytest.raises(InputError) as caught:
        _prepared(tmp_path, rows)
    message = str(caught.value)
    assert "essays 'e0', 'e1', 'e2', 'e3' under the prompts 'P0', 'P1', 'P2', 'P3'" in message
    assert "data.preparation.repeats to 'drop'" in message
    dropped = _prepared(tmp_path, rows, _with(Preparation(min_words=0, repeats="drop")))
    assert len(dropped.train) == 20


def test_a_fold_of_most_essays_is_said(tmp_path: Path) -> None:
    rows = made_rows(36)
    for row in rows[8:]:
        row[2] = "P0"
    prepared = _prepared(tmp_path, rows, table_settings(n_splits=3))
    sizes = prepared.manifest["folds"]["prompt_holdout"]
    assert sum(sizes) == 36
    assert max(sizes) >= 30
    (note,) = prepared.manifest["notes"]
    assert f"holds out {max(sizes)} of 36 essays (the prompt 'P0' has 30)" in note


FOREIGN = "los perros corren por la calle y los gatos duermen en el sol cada tarde de verano "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FOREIGN * 3, "another language than English"),
        ("собаки бегут по улице " * 9, "in Cyrillic"),
        ("小猫喜欢睡觉" * 9, "without spaces"),
    ],
)
def test_what_the_features_do_not_serve_is_said(text: str, said: str, tmp_path: Path) -> None:
    rows = [[row[0], f"{text} {at}", *row[2:]] for at, row in enumerate(made_rows())]
    prepared = _prepared(tmp_path, rows, table_settings(min_words=30))
    notes = " ".join(prepared.manifest["notes"])
    assert "24 of 24 essays are" in notes
    assert said in notes
    assert "serve English alone" in notes
    assert ("each of its letters counts as a word" in notes) == (said == "without spaces")


def test_english_is_served(tmp_path: Path) -> None:
    text = "The dogs run in the street and the cats sleep in the sun on every day of the summer "
    rows = [[row[0], f"{text} {at}", *row[2:]] for at, row in enumerate(made_rows())]
    assert _prepared(tmp_path, rows).manifest["notes"] == []


def test_texts_that_were_decoded_twice_are_told_of(tmp_path: Path) -> None:
    rows = made_rows()
    rows[3][1] += " caf\u00c3\u00a9"
    rows[7][1] += " don\u00e2\u20ac\u2122t"
    rows[9][1] += " S\u00c3O Jos\u00e9"
    notes = _prepared(tmp_path, rows).manifest["notes"]
    assert any("2 of 24 essays hold signs of letters that were decoded" in note for note in notes)


def test_whole_numbers_that_became_floats_are_one_prompt(tmp_path: Path) -> None:
    rows = [[*row[:2], f"{at % 4 + 1}{'.0' if at % 3 else ''}", row[3]]
            for at, row in enumerate(made_rows())]  # fmt: skip
    prepared = _prepared(tmp_path, rows)
    assert len(set(prepared.train.prompts)) == 4
    assert any("4 prompts are spelled in several ways" in n for n in prepared.manifest["notes"])
    assert name_key("1.10") != name_key("1.1")
