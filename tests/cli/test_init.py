"""`init`: tables as people have them, what it understands of each, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from essay_scoring.cli import init_commands
from essay_scoring.cli.main import run
from essay_scoring.core.settings import build_settings
from essay_scoring.data.data_settings import DataSettings, TableCorpus
from essay_scoring.judging.starter import Ability, models_for
from essay_scoring.judging.study_plan import load_study
from essay_scoring.records.config import load_run_config, read_extended_toml

WORD = "SECRETWORD"
"""In every essay: it must show nowhere."""


def essay(number: int) -> str:
    return f"{WORD} number {number} says, " + " ".join(f"word{number}x{i}" for i in range(30))


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], mark: str) -> Path:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark).writerows([header, *rows])
    path.write_text(out.getvalue(), encoding="cp1252" if mark == ";" else "utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ESSAY_SCORING_DATA", raising=False)
    return tmp_path


Told = Callable[..., str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Run `init`; return all it said, where it ended as it should and quoted no essay."""

    def call(*arguments: str, code: int = 0) -> str:
        assert run(["init", *arguments]) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert WORD not in out + err
        return out if not code else err

    return call


def corpus_of(folder: Path) -> TableCorpus:
    values = read_extended_toml(folder / "data.toml")["data"]
    corpus = build_settings(DataSettings, values, str(folder)).corpus
    assert isinstance(corpus, TableCorpus)
    return corpus


def asap(path: Path) -> Path:
    highs = {
        1: (2, 12),
        2: (1, 6),
        3: (0, 3),
        4: (0, 3),
        5: (0, 4),
        6: (0, 4),
        7: (6, 24),
        8: (20, 50),
    }
    rows = [
        (i, prompt, essay(i), low, low, low + (i % (high - low + 1)))
        for i, (prompt, (low, high)) in enumerate(list(highs.items()) * 12)
    ]
    header = ("essay_id", "essay_set", "essay", "rater1_domain1", "rater2_domain1", "domain1_score")
    return write(path, header, rows, ",")


def test_a_table_of_eight_prompts_with_their_scales_comes_to_a_study(
    place: Path, told: Told
) -> None:
    asap(place / "essays.csv")
    said = told("essays.csv", "--yes")
    assert "next: essay-scoring study essays/study.toml" in said
    assert "8 prompts" in said
    corpus = corpus_of(place / "essays")
    assert corpus.scales.of("8").span == "0 to 60 by 1"
    study = load_study(place / "essays" / "study.toml")
    config = load_run_config(place / "essays" / "reference.toml")
    assert config.training.mapping == "round_half_band"
    assert study.plans["essays-catboost"][0].bottom_k == 3
    assert config.features.sets == ("handcrafted", "embeddings")
    assert WORD not in "".join(file.read_text() for file in (place / "essays").glob("*"))


def german(path: Path) -> Path:
    """Write what a German spreadsheet exports: semicolons, decimal commas, cp1252."""
    words = " Wir führen Schüler größer über Straßen, schön für Äpfel"
    notes = [f"{1 + i / 2:.1f}".replace(".", ",") for i in range(9)]
    rows = [(i, essay(i) + words, f"Thema {i % 7}", notes[i % 9]) for i in range(70)]
    return write(path, ("Kennung", "Aufsatz", "Aufgabe", "Note"), rows, ";")


def workbook(path: Path) -> Path:
    """Write a workbook of essays with two raters; skip where no workbook can be written."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["ID", "Response", "Prompt", "Rater 1", "Rater 2", "Gender"])
    for i in range(70):
        book.active.append(
            [f"e{i}", essay(i), f"P{i % 7}", 1 + i % 4, 1 + (i + i % 2) % 5, "fm"[i % 2]]
        )
    book.save(path)
    return path


def kaggle(path: Path) -> Path:
    """Write essays with scores and no prompts."""
    rows = [(f"a{i}", essay(i), 1 + i % 6) for i in range(30)]
    return write(path, ("essay_id", "full_text", "score"), rows, ",")


def rsmtool(path: Path, *, whole: bool) -> Path:
    """Write predictions as RSMTool does, with folds of whole prompts or across them."""
    rows = [
        (f"R_{i}", 1 + i % 4, round(1.2 + i % 4 + (i % 3) / 9, 6), 1 + (i + i % 2) % 4, i % 3, fold)
        for i in range(60)
        for fold in [i % 3 if whole else i % 2]
    ]
    return write(path, ("ID", "human", "system", "human2", "prompt", "fold"), rows, ",")


def test_a_german_export_of_a_spreadsheet_is_read(place: Path, told: Told) -> None:
    german(place / "Aufsätze 2024.csv")
    said = told("Aufsätze 2024.csv", "--yes", "--out", "mine")
    assert "cp1252, cells apart by ';'" in said
    assert corpus_of(place / "mine").scales.of("Thema 1").span == "1 to 5 by 0.5"
    assert load_run_config(place / "mine" / "reference.toml").name == "mine-reference"


def test_a_workbook_of_two_raters_is_read(place: Path, told: Told) -> None:
    workbook(place / "rated.xlsx")
    assert "other scores  Rater 2" in told("rated.xlsx", "--yes")
    corpus = corpus_of(place / "rated")
    assert (corpus.columns.score, corpus.columns.second_score) == ("Rater 1", "Rater 2")
    assert corpus.columns.writers == ("Gender",)
    assert (corpus.raters, corpus.scales.of("P1").high) == ("mean", 5)


def test_essays_without_prompts_are_refused_and_can_be_scored(place: Path, told: Told) -> None:
    kaggle(place / "train.csv")
    said = told("train.csv", "--yes", code=2)
    assert "whole prompts are held out" in said
    assert (
        "essay-scoring score MODEL train.csv --text-column full_text --id-column essay_id" in said
    )
    assert not (place / "train").exists()


def test_predictions_are_sent_to_the_command_that_takes_them(
    place: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"r{i}", 1 + i % 4, 1.2 + i % 4, 1 + i % 4) for i in range(40)]
    write(place / "predictions.csv", ("spkitemid", "sc1", "raw_trim", "sc2"), rows, ",")
    said = told("predictions.csv", code=2)
    command = said.split("To mend: essay-scoring ")[1].split()
    assert command[0] == "import-predictions"
    assert run(command) == 0, capsys.readouterr().err


@pytest.mark.parametrize("whole", [True, False])
def test_predictions_are_sent_with_the_scheme_that_their_folds_have(
    place: Path, told: Told, capsys: pytest.CaptureFixture[str], *, whole: bool
) -> None:
    rsmtool(place / "my predictions.csv", whole=whole)
    said = told("my predictions.csv", "--yes", code=2)
    command = shlex.split(said.split("To mend: essay-scoring ")[1])
    assert ("stratified_text" not in command) == whole
    assert run(command) == 0, capsys.readouterr().err


def test_few_prompts_carry_no_interval_and_it_is_said(place: Path, told: Told) -> None:
    rows = [(essay(i), f"P{i % 3}", ("A1", "B2", "A2")[(i // 3) % 3]) for i in range(45)]
    write(place / "few.csv", ("text", "prompt", "level"), rows, ",")
    said = told("few.csv", "--yes")
    assert "with 3 prompts no interval can be had (that takes 6)" in said
    assert "A1 < A2 < B2" in said
    assert corpus_of(place / "few").labels == ("A1", "A2", "B2")
    assert load_run_config(place / "few" / "reference.toml").data.splits.n_splits == 3


def test_folds_of_the_table_are_kept_where_they_hold_prompts_out(place: Path, told: Told) -> None:
    rows = [(f"e{i}", essay(i), f"P{i % 6}", 1 + i % 4, i % 3) for i in range(60)]
    header = ("id", "text", "prompt", "score", "fold")
    write(place / "held.csv", header, rows, ",")
    told("held.csv", "--yes")
    assert load_run_config(place / "held" / "reference.toml").splits_path == "held/folds.csv"
    write(place / "cut.csv", header, [(*row[:4], i % 4) for i, row in enumerate(rows)], ",")
    assert "divide prompts" in told("cut.csv", "--yes")
    assert load_run_config(place / "cut" / "reference.toml").splits_path is None


def test_words_without_an_order_need_labels(place: Path, told: Told) -> None:
    rows = [(essay(i), f"P{i % 6}", ("low", "mid", "top")[i // 6 % 3]) for i in range(60)]
    write(place / "named.csv", ("text", "prompt", "score"), rows, ",")
    assert "--labels low,mid,top" in told("named.csv", "--yes", code=2)
    told("named.csv", "--yes", "--labels", "low,mid,top")
    assert corpus_of(place / "named").labels == ("low", "mid", "top")


def test_nothing_is_written_over_and_a_pipe_cannot_answer(place: Path, told: Told) -> None:
    asap(place / "essays.csv")
    assert "--yes" in told("essays.csv", code=2)
    assert not (place / "essays").exists()
    (place / "essays").mkdir()
    (place / "essays" / "mine.txt").write_text("mine")
    assert "holds something" in told("essays.csv", "--yes", code=2)
    assert [path.name for path in (place / "essays").iterdir()] == ["mine.txt"]


def test_a_table_that_is_at_fault_leaves_no_folder(place: Path, told: Told) -> None:
    rows = [("same", essay(i), f"P{i % 6}", 1 + i % 4) for i in range(60)]
    write(place / "twice.csv", ("id", "text", "prompt", "score"), rows, ",")
    assert "is already that of row" in told("twice.csv", "--yes", code=2)
    assert not (place / "twice").exists()


@pytest.mark.parametrize(
    ("ability", "arms", "sets"),
    [
        (Ability(language=True, encoder=True, boosted=True), "reference catboost", None),
        (Ability(language=True, encoder=False, boosted=False), "ridge svr", ("handcrafted",)),
        (
            Ability(language=False, encoder=True, boosted=True),
            "reference catboost",
            ("embeddings",),
        ),
        (Ability(language=False, encoder=False, boosted=True), "mean length", None),
    ],
)
def test_the_configs_ask_for_what_is_installed(
    ability: Ability,
    arms: str,
    sets: tuple[str, ...] | None,
    place: Path,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(init_commands, "ability", lambda: ability)
    asap(place / "essays.csv")
    said = told("essays.csv", "--yes")
    models = models_for(ability)
    reference, candidate = arms.split()
    assert (models.reference, models.candidate, models.sets) == (
        f"preset:{reference}",
        f"preset:{candidate}",
        sets,
    )
    assert ("pip install 'essay-scoring[" in said) == bool(models.without)
    config = load_run_config(place / "essays" / "candidate.toml")
    assert config.scorer.family == candidate
    assert sets is None or config.features.sets == sets


@pytest.mark.parametrize(
    "sentence", ["我们每天都去学校学习新的知识。", "わたしたちは毎日学校に行きます。"]
)
def test_essays_without_spaces_are_found(place: Path, told: Told, sentence: str) -> None:
    rows = [(f"e{i}", f"{i}。" + sentence * 6, f"P{i % 6}", 1 + i % 4) for i in range(60)]
    write(place / "essays.csv", ("id", "text", "prompt", "score"), rows, ",")
    assert "text          text" in told("essays.csv", "--yes")
    assert sentence not in told("essays.csv", "--yes", "--out", "again")
    assert corpus_of(place / "essays").columns.text == "text"


def test_essays_on_one_prompt_are_refused_with_what_can_be_done(place: Path, told: Told) -> None:
    rows = [(f"e{i}", essay(i), "The one", 1 + i % 4) for i in range(30)]
    write(place / "essays.csv", ("id", "text", "prompt", "score"), rows, ",")
    said = told("essays.csv", "--yes", code=2)
    assert "column 'prompt': all essays answer one prompt" in said
    assert "--column prompt=NAME" in said
    assert not (place / "essays").exists()


def test_predictions_under_names_of_their_own_are_named_in_the_command(
    place: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"r{i}", i % 3, i % 3, 1 + i % 4, 1.2 + (i + i % 2) % 4) for i in range(60)]
    header = ("Essay ID", "Task", "kfold", "h1", "prediction")
    write(place / "predictions.csv", header, rows, ",")
    said = told("predictions.csv", "--yes", code=2)
    command = shlex.split(said.split("To mend: essay-scoring ")[1])
    assert "record_id=Essay ID" in command
    assert "--scheme" not in command
    assert run(command) == 0, capsys.readouterr().err


def test_answers_in_the_column_of_scores_are_not_quoted(place: Path, told: Told) -> None:
    answers = [f"{WORD} answered at some length, number {i}" for i in range(5)]
    rows = [(f"e{i}", essay(i), f"P{i % 6}", answers[i % 5]) for i in range(60)]
    write(place / "essays.csv", ("id", "text", "prompt", "score"), rows, ",")
    assert "score=NAME" in told("essays.csv", "--yes", code=2)


def test_each_warning_and_note_is_one_line_that_names_the_file_plainly(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"e{i}", essay(i), f"P{i % 6}", 1 + i % 4 + (i % 3) / 3) for i in range(60)]
    write(place / "means.csv", ("id", "text", "prompt", "score"), rows, ",")
    command = [sys.executable, "-m", "essay_scoring.cli.main", "init", "means.csv", "--yes"]
    assert subprocess.run(command, check=False).returncode == 0
    out, err = capfd.readouterr()
    told = [line for line in (out + err).splitlines() if line.startswith(("warning", "note"))]
    assert len(set(told)) == len(told) > 1
    assert sum("means.csv, column 'score'" in line for line in told) == 1
    assert ".." not in out + err


@pytest.mark.parametrize("weights", ["1.5", "0", "", "heavy"])
def test_a_column_of_weights_is_found_where_all_are_greater_than_0(
    place: Path, told: Told, weights: str
) -> None:
    own = [*(str(1 + i % 3) for i in range(59)), weights]
    rows = [(f"e{i}", essay(i), f"P{i % 6}", 1 + i % 4, own[i]) for i in range(60)]
    write(place / "own.csv", ("id", "text", "prompt", "score", "Sample Weight"), rows, ",")
    said = told("own.csv", "--yes")
    assert ("weight        Sample Weight, in training alone" in said) == (weights == "1.5")
    assert corpus_of(place / "own").columns.weight == (
        "Sample Weight" if weights == "1.5" else None
    )


def test_what_was_asked_is_found_beside_the_names_of_prompts(place: Path, told: Told) -> None:
    asked = [f"{WORD}: should town {p} have a bridge, and who should pay?" for p in range(6)]
    rows = [(essay(i), f"P{i % 6}", 1 + i % 4, asked[i % 6]) for i in range(60)]
    header = ("text", "prompt_name", "score", "Assignment")
    write(place / "own.csv", header, rows, ",")
    assert "prompt text   Assignment, what was asked" in told("own.csv", "--yes")
    columns = corpus_of(place / "own").columns
    assert (columns.prompt, columns.prompt_text) == ("prompt_name", "Assignment")
    write(place / "two.csv", header, [*rows[:-1], (*rows[-1][:3], asked[0])], ",")
    assert "column 'Assignment' has several texts of one prompt" in told("two.csv", "--yes")
    assert corpus_of(place / "two").columns.prompt_text is None
    said = told("two.csv", "--yes", "--column", "prompt_text=Assignment", "--out", "no", code=2)
    assert "row 60 (line 61), column 'Assignment': the text of what the prompt 'P5' asked" in said


def test_a_prompt_in_full_is_what_was_asked_where_it_has_a_name_too(
    place: Path, told: Told
) -> None:
    asked = [f"Should town {p} {'have a bridge or two and ' * 4} why?" for p in range(6)]
    rows = [(essay(i), asked[i % 6], i % 6, i % 2, 1 + i % 4) for i in range(60)]
    write(place / "own.csv", ("text", "prompt", "prompt_id", "task", "score"), rows, ",")
    told("own.csv", "--yes")
    columns = corpus_of(place / "own").columns
    assert (columns.prompt, columns.prompt_text) == ("prompt_id", "prompt")


def test_what_init_refuses_it_can_be_told_to_settle(place: Path, told: Told) -> None:
    header = ("id", "text", "prompt", "score")
    rows = [(f"e{i}", essay(i), f"P{i % 6}", 1 + i % 4) for i in range(60)]
    same = [(f"r{p}", essay(99), f"P{p}", 1) for p in range(6)]
    write(place / "same.csv", header, [*rows, *same], ",")
    assert "of init it is --repeats" in told("same.csv", "--yes", code=2)
    told("same.csv", "--yes", "--repeats", "drop")
    preparation = load_run_config(place / "same" / "reference.toml").data.preparation
    assert (preparation.repeats, preparation.similar_prompts) == ("drop", "refuse")
    near = [(*row[:2], "Working from home" if row[2] == "P0" else row[2], row[3]) for row in rows]
    near[0] = (*near[0][:2], "Working from hone", near[0][3])
    write(place / "near.csv", header, near, ",")
    assert "of init it is --similar-prompts" in told("near.csv", "--yes", code=2)
    told("near.csv", "--yes", "--similar-prompts", "merge")
    preparation = load_run_config(place / "near" / "reference.toml").data.preparation
    assert preparation.similar_prompts == "merge"


def test_a_table_of_folds_goes_beside_that_of_the_essays(place: Path, told: Told) -> None:
    rows = [(f"-e{i}", essay(i), f"P{i % 6}", 1 + i % 4) for i in range(60)]
    write(place / "essays.csv", ("id", "text", "prompt", "score"), rows, ",")
    write(place / "folds.csv", ("id", "fold"), [(row[0], i % 3) for i, row in enumerate(rows)], ",")
    assert "init ESSAYS --folds folds.csv" in told("folds.csv", "--yes", code=2)
    told("essays.csv", "--yes", "--folds", "folds.csv")
    assert load_run_config(place / "essays" / "reference.toml").splits_path == "folds.csv"
    write(place / "cut.csv", ("id", "fold"), [(row[0], i % 4) for i, row in enumerate(rows)], ",")
    said = told("essays.csv", "--yes", "--folds", "cut.csv", "--out", "cut", code=2)
    assert "cut.csv" in said
    assert not (place / "cut").exists()


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (("900,5", "1.000,5", "1.100,5"), "row 2 (line 3), column 'score': '1.000,5' is not a"),
        (("25%", "50%", "75%"), "'25%' is not a number, nor is any other of 60 cells"),
        (("2024-05-03", "3.5", "2024-05-04"), "a spreadsheet made dates of numbers"),
        (("n/a", "1", "2"), "row 1 (line 2), column 'score': the score is missing"),
        (("2+", "2", "2-"), "--labels 2,2+,2-"),
    ],
)
def test_scores_that_are_written_otherwise_are_told_with_their_rows(
    place: Path, told: Told, scores: Sequence[str], said: str
) -> None:
    rows = [(f"e{i}", essay(i), f"P{i // 3 % 6}", scores[i % 3]) for i in range(60)]
    write(place / "own.csv", ("id", "text", "prompt", "score"), rows, ";")
    assert said in told("own.csv", "--yes", code=2)


def test_levels_in_either_case_are_one_and_prompts_of_merged_cells_are_told(
    place: Path, told: Told
) -> None:
    levels = ("A2", "a2+", "A2+", "B1 ")
    rows = [(f"e{i}", essay(i), f"P{i // 4 % 6}", levels[i % 4]) for i in range(72)]
    write(place / "own.csv", ("id", "text", "prompt", "CEFR"), rows, ",")
    assert "labels: A2 < A2+ < B1" in told("own.csv", "--yes")
    rows = [(*row[:2], "" if i % 4 else row[2], row[3]) for i, row in enumerate(rows)]
    write(place / "own.csv", ("id", "text", "prompt", "CEFR"), rows, ",")
    said = told("own.csv", "--yes", "--out", "no", code=2)
    assert "row 2 (line 3), column 'prompt': the prompt is blank in 54 of 72 rows" in said


def test_the_mean_of_three_columns_of_raters_is_learnt(place: Path, told: Told) -> None:
    rows = [(f"e{i}", essay(i), f"P{i % 6}", 1 + i % 4, 1 + i % 4, i % 6, 9) for i in range(60)]
    header = ("id", "text", "prompt", "Rater 1", "Rater 2", "Rater 3", "Human 3")
    write(place / "own.csv", header, rows, ",")
    said = told("own.csv", "--yes")
    assert "other scores  Rater 2, Rater 3" in said
    assert "not used      Human 3" in said
    corpus = corpus_of(place / "own")
    assert corpus.columns.other_scores == ("Rater 2", "Rater 3")
    # What the third alone gave is on the scale.
    assert (corpus.raters, corpus.scales.of("P1").span) == ("mean", "0 to 5 by 1")


def test_columns_inside_objects_are_found_by_their_last_name(place: Path, told: Told) -> None:
    asked = [f"Should town {p} have a bridge?" for p in range(6)]
    items = [{"topic": p, "question": asked[p]} for p in range(6)]
    lines = [
        {"response": {"text": essay(i)}, "item": items[i % 6], "scores": {"holistic": 1 + i % 4}}
        for i in range(60)
    ]
    (place / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    told("own.jsonl", "--yes")
    columns = corpus_of(place / "own").columns
    assert (columns.text, columns.prompt) == ("response.text", "item.topic")
    assert (columns.score, columns.prompt_text) == ("scores.holistic", "item.question")
