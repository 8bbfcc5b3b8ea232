"""Small trained models, and tables to score with them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.records.config import RunConfig
from essay_scoring.records.workspace import Workspace
from essay_scoring.scoring.train_model import TrainingOrder, train_model
from tests.conftest import smoke_config

QUICK = ("baselines=[]", "evaluation.replicates=100")
TWELVE = ("data.corpus.n_prompts=12", "data.corpus.n_essays=120")


def quick_config(family: str, *overrides: str) -> RunConfig:
    """Return a family's smoke config without baselines."""
    return smoke_config(family, *QUICK, *overrides)


def train(config: RunConfig, folder: Path, cache: Path, coverage: float = 0.8) -> Path:
    """Return the folder of a trained model, below `folder`."""
    space = Workspace(folder / "runs", cache, folder)
    order = TrainingOrder(config, folder / "models", coverage)
    return train_model(order, space, Progress(), report=lambda _: None, resume="again")


def new_essays(n: int) -> Essays:
    """Return made essays that no model has seen."""
    return generate(SyntheticCorpus(n_essays=max(20, n), seed=91), "train").essays.take(range(n))


def write_essays(path: Path, essays: Essays, notes: Sequence[str] = ("",)) -> Path:
    """Write a table of essays with the columns id, prompt, text and note; notes repeat."""
    rows = zip(essays.ids, essays.prompts, essays.texts, strict=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "prompt", "text", "note"])
        writer.writerows([*row, notes[at % len(notes)]] for at, row in enumerate(rows))
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
