"""What prompts asked, from the table of training to the tables and lines that are scored."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.progress import Progress
from essay_scoring.features.linguistic import HANDCRAFTED
from essay_scoring.features.similarity import SIMILARITY
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.reports.run_reports import write_run_views
from essay_scoring.scoring.input_table import ColumnNames
from essay_scoring.scoring.model import TrainedModel
from essay_scoring.scoring.score_file import ScoreRequest, score_file
from essay_scoring.scoring.score_stream import score_lines
from tests.scoring.made import read_rows, train

TOPICS = ("rivers", "music", "trains", "gardens", "winter", "bread")
HOLD_CONFIGS = ("config.json", "cv_metrics.json")
SECRET = "PROMPTSECRET"
ESSAY = "Horses sleep in fields. They dream, I think."
NEW = f"{SECRET}: do horses dream of green fields? Explain."


def asked(topic: str) -> str:
    return f"{SECRET}: are {topic} good for a town? Give two reasons."


def rows() -> list[tuple[str, str, str, int, str]]:
    return [
        (f"e{n}", f"I like {TOPICS[n % 6]} a lot. " + "They are good for us. " * (n // 6 + n % 3),
         TOPICS[n % 6][0].upper(), 1 + n // 6 % 4, asked(TOPICS[n % 6]))
        for n in range(30)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked")


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    with (place / "essays.csv").open("w", newline="", encoding="utf-8") as stream:
        header = ("id", "text", "prompt", "score", "question")
        csv.writer(stream).writerows([header, *rows()])
    values = {
        "name": "asked",
        "data": {
            "corpus": {
                "kind": "table",
                "path": str(place / "essays.csv"),
                "columns": {
                    **{name: name for name in ("id", "text", "prompt", "score")},
                    "prompt_text": "question",
                },
                "scales": {"shared": {"low": 1, "high": 4}},
            },
            "preparation": {"min_words": 0},
            "splits": {"n_splits": 2},
        },
        "features": {
            "sets": ["handcrafted"],
            "drop": [name for name in HANDCRAFTED if name not in SIMILARITY],
        },
        "scorer": {"family": "ridge"},
        "baselines": [],
        "evaluation": {"replicates": 100},
    }
    return train(RunConfig.model_validate(values), place, place / "cache")


def scored(model: Path, folder: Path, prompt: str, text: str | None, **names: str) -> list[str]:
    column = [] if text is None else ["prompt_text"]
    with (folder / "new.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["prompt", "text", *column])
        writer.writerow([prompt, ESSAY, *([text] * len(column))])
    request = ScoreRequest(model, folder / "new.csv", folder / "out.csv", ColumnNames(**names))
    score_file(request, folder / "cache", Progress(), workers=1)
    return [row["predicted_raw"] for row in read_rows(request.out)]


def test_the_model_keeps_them_and_no_log_or_page_shows_them(model: Path, place: Path) -> None:
    texts = load_run_config(model / "config.json").features.prompt_texts
    assert texts == {topic[0].upper(): asked(topic) for topic in TOPICS}
    [run] = (place / "runs").glob("asked-*")
    assert "(text of 5" in (write_run_views(run)[1]).read_text(encoding="utf-8")
    shown = [
        path
        for path in (*(place / "runs").rglob("*"), *model.rglob("*"))
        if path.is_file() and path.name not in HOLD_CONFIGS and SECRET.encode() in path.read_bytes()
    ]
    assert shown == []


def test_a_new_prompts_text_is_compared_with(model: Path, tmp_path: Path) -> None:
    by_name = scored(model, tmp_path, "H", None)
    by_text = scored(model, tmp_path, "H", NEW)
    assert by_name != by_text
    assert scored(model, tmp_path, "H", NEW, prompt_text="prompt_text") == by_text
    assert scored(model, tmp_path, "H", "") == by_name


def test_a_known_prompt_may_not_have_asked_something_else(model: Path, tmp_path: Path) -> None:
    assert scored(model, tmp_path, "r", asked("rivers")) == scored(model, tmp_path, "R", None)
    with pytest.raises(InputError) as caught:
        scored(model, tmp_path, "R", NEW)
    line = str(caught.value)
    assert "new.csv, row 1 (line 2), column 'prompt_text'" in line
    assert "what the prompt 'R' asked is not that of training" in line
    assert SECRET not in line


def test_lines_hold_them_too(model: Path, tmp_path: Path) -> None:
    essay = {"text": ESSAY, "prompt": "H"}
    given = [essay, {**essay, "prompt_text": NEW}, {**essay, "prompt_text": NEW + "!"},
             {**essay, "prompt": "R", "prompt_text": NEW}, essay]  # fmt: skip
    data = "".join(json.dumps(line) + "\n" for line in given).encode()
    trained = TrainedModel(model, tmp_path / "cache")
    answers = [json.loads(line) for line in score_lines(trained, io.BytesIO(data), ColumnNames())]
    by_name, by_text = scored(model, tmp_path, "H", None), scored(model, tmp_path, "H", NEW)
    assert [str(answers[at]["predicted_raw"]) for at in (0, 1, 4)] == [*by_name, *by_text, *by_text]
    assert "'H' asked is not that in line 2" in answers[2]["error"]
    assert "'R' asked is not that of training" in answers[3]["error"]
