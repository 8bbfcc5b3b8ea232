from __future__ import annotations

import pytest

from essay_scoring.core.progress import Progress
from essay_scoring.data.data_settings import TableColumns
from essay_scoring.data.preparation import prepare
from tests.data.corpus_files import HEADER, SECRET, made_rows, table_settings, write_csv


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on 26 training essays with an exact and a near duplicate, and two locked ones."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [[*row, "A" if i % 2 else "", row[3]] for i, row in enumerate(made_rows())]
    long = " ".join(f"{SECRET}{i}" for i in range(40))
    rows += [
        ["copy|1", rows[0][1] + " ", "P0", "2", "A", ""],
        ["near1", long, "P1", "1", "A", ""],
    ]
    rows[3][2] = "P3 | <b>x</b>\nnew *line*"
    write_csv(folder / "train.csv", rows, [*HEADER, "group", "second"])
    write_csv(
        folder / "held.csv", [["x0", f"{long} more", "P1", "1"], ["x1", "own text", "P9", "2"]]
    )
    columns = TableColumns(
        id="id",
        text="text",
        prompt="prompt",
        score="score",
        second_score="second",
        writers=("group",),
    )
    settings = table_settings(columns=columns, locked="held.csv")
    prepared = prepare(settings, folder, folder / "out", Progress())
    path = prepared.folder / "reports" / "dataset_integrity_report.md"
    return path.read_text(encoding="utf-8")


def test_no_essay_text_is_in_the_report(report: str) -> None:
    assert SECRET not in report


@pytest.mark.parametrize(
    "line",
    [
        "| train | 26 | 26 | 26 |",
        "| locked | 2 | 2 | 2 |",
        "- train was read as utf-8",
        "Scale 1 to 4 by 1:",
        "| 1 | 9 | 34.6 |",  # 8 of the 24 made essays and near1: 9 / 26
        "| 4 | 0 | 0.0 |",  # a label that nobody got is there
        "Two raters scored 24 of these essays: QWK 1.000.",
        "5 prompts in train, 0 with n >= 30.",
        "| P9 | 0 | 1 |  |  |",
        "Training texts that occur more than once: 1.",
        "- e0, copy\\|1",
        "- pairs in all: 1",
        "- across train and locked: 1",
        "- across folds of stratified_text: 0",
        "| A | 14 | 1.93 |",
        "| (unknown) | 12 | 2.00 |",
    ],
)
def test_what_the_report_says(line: str, report: str) -> None:
    assert line in report.splitlines()


def test_near_duplicates_are_listed_by_id_with_their_index(report: str) -> None:
    # 40 words have 36 shingles, one more word adds one: 36 / 37 = 0.973.
    (row,) = [line for line in report.splitlines() if line.startswith("| near1 | x0 |")]
    assert row.split(" | ")[2] == "0.973"
    assert row.count("/locked") == 2


def test_a_hostile_prompt_name_cannot_break_out_of_its_table(report: str) -> None:
    assert "<b>" not in report
    (row,) = [line for line in report.splitlines() if line.startswith("| P3 \\|")]
    assert row.startswith("| P3 \\| \\<b\\>x\\</b\\> new \\*line\\* | 1 | 0 |")
