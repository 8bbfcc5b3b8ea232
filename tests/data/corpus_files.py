"""Small table corpora for tests, written to a folder: made texts, some prompts, whole scores."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.data.data_settings import (
    DataSettings,
    Preparation,
    SplitSettings,
    TableColumns,
    TableCorpus,
)

HEADER = ["id", "text", "prompt", "score"]
SECRET = "SECRETWORD"
"""In every made text: it must never show in a message."""


def made_rows(n: int = 24, n_prompts: int = 4) -> list[list[str]]:
    """Return rows of id, text, prompt and score from 1 to 4; no two texts are alike."""
    return [
        [
            f"e{i}",
            f'{SECRET} essay number {i}, with "quotes", commas\nand lines',
            f"P{i % n_prompts}",
            str(1 + i % 3),
        ]
        for i in range(n)
    ]


def write_csv(path: Path, rows: list[list[str]], header: list[str] | None = None) -> Path:
    """Write a CSV file and return its path."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header or HEADER, *rows])
    return path


def table_settings(n_splits: int = 2, min_words: int = 0, **corpus: Any) -> DataSettings:
    """Return the settings of a table corpus with scores from 1 to 4."""
    given: dict[str, Any] = {
        "path": "train.csv",
        "columns": TableColumns(id="id", text="text", prompt="prompt", score="score"),
        "scales": ScoreScales(shared=ScoreScale(low=1, high=4)),
    } | corpus
    return DataSettings(
        corpus=TableCorpus(**given),
        preparation=Preparation(min_words=min_words),
        splits=SplitSettings(n_splits=n_splits),
    )
