"""Corpora: where their files are and how they become essays.

Scores of a locked test are read by `data.locked` alone: what is loaded from its file here are ids,
texts and prompts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.data import cells
from essay_scoring.data.data_settings import (
    Corpus,
    EllipseCorpus,
    SyntheticCorpus,
    TableColumns,
    TableCorpus,
)
from essay_scoring.data.rows import AUTO, require_file
from essay_scoring.data.synthetic import generate
from essay_scoring.data.tables import Table, read_table

FileCorpus = EllipseCorpus | TableCorpus

_ELLIPSE_COLUMNS = TableColumns(
    id="text_id_kaggle",
    text="full_text",
    prompt="prompt",
    score="Overall",
    traits=("Cohesion", "Syntax", "Vocabulary", "Phraseology", "Grammar", "Conventions"),
    writers=("gender", "grade", "race_ethnicity", "SES"),
)


_ELLIPSE_SCALES = ScoreScales(shared=ScoreScale(low=1.0, high=5.0, step=0.5))


def data_folder() -> Path:
    """Return the folder that corpus paths are relative to: ESSAY_SCORING_DATA or ../shared/data."""
    return Path(os.environ.get("ESSAY_SCORING_DATA") or "../shared/data")


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a corpus holds: scored training essays, and locked essays (maybe none) without scores.

    `encodings` tells how each part's file was read (empty for a synthetic corpus).
    """

    train: ScoredEssays
    locked: Essays
    encodings: dict[str, str]


def load(corpus: Corpus, folder: Path) -> Loaded:
    """Return both parts of a corpus, checked; InputError names file, row and column of a fault."""
    if isinstance(corpus, SyntheticCorpus):
        return Loaded(generate(corpus, "train"), generate(corpus, "locked").essays, {})
    paths = _paths(corpus, folder)
    tables = {part: _open(corpus, path) for part, path in paths.items()}
    locked = _locked(corpus, tables["locked"]) if "locked" in tables else Essays((), (), ())
    encodings = {part: table.file.encoding for part, table in tables.items()}
    return Loaded(_scored(corpus, tables["train"]), locked, encodings)


def load_train(corpus: Corpus, folder: Path) -> ScoredEssays:
    """Return the scored training essays; InputError names file, row and column of a fault."""
    if isinstance(corpus, SyntheticCorpus):
        return generate(corpus, "train")
    return read_scored(corpus, _paths(corpus, folder)["train"])


def load_locked_essays(corpus: Corpus, folder: Path) -> Essays | None:
    """Return the locked essays without their scores; None where the corpus has no locked test."""
    if isinstance(corpus, SyntheticCorpus):
        return generate(corpus, "locked").essays if corpus.n_locked else None
    path = _paths(corpus, folder).get("locked")
    return None if path is None else _locked(corpus, _open(corpus, path))


def source_files(corpus: Corpus, folder: Path) -> list[Path]:
    """Return the files a corpus is read from, training file first; InputError for a missing one."""
    if isinstance(corpus, SyntheticCorpus):
        return []
    return [require_file(path) for path in _paths(corpus, folder).values()]


def scales_of(corpus: Corpus) -> ScoreScales:
    """Return the score scale, or the scales by prompt, of a corpus."""
    if isinstance(corpus, TableCorpus):
        return corpus.scales
    if isinstance(corpus, SyntheticCorpus):
        return ScoreScales(shared=corpus.scale)
    return _ELLIPSE_SCALES


def read_scored(corpus: FileCorpus, path: Path) -> ScoredEssays:
    """Return the scored essays of one file that has the columns of the corpus."""
    return _scored(corpus, _open(corpus, path))


def _scored(corpus: FileCorpus, table: Table) -> ScoredEssays:
    columns, scales = _columns(corpus), scales_of(corpus)
    essays = _essays(corpus, table)
    second = columns.second_score
    scored = ScoredEssays(
        essays,
        cells.score_cells(table, columns.score, essays.prompts, scales),
        scales,
        None
        if second is None
        else cells.score_cells(table, second, essays.prompts, scales, may_be_missing=True),
        {name: cells.number_cells(table, name) for name in columns.traits},
        {name: cells.label_cells(table, name) for name in columns.writers},
    )
    table.check()
    return scored


def _locked(corpus: FileCorpus, table: Table) -> Essays:
    essays = _essays(corpus, table)
    table.check()
    return essays


def _essays(corpus: FileCorpus, table: Table) -> Essays:
    columns = _columns(corpus)
    return Essays(
        cells.id_cells(table, columns.id),
        cells.text_cells(table, columns.text),
        cells.prompt_cells(table, columns.prompt),
    )


def _open(corpus: FileCorpus, path: Path) -> Table:
    return read_table(path, corpus if isinstance(corpus, TableCorpus) else AUTO)


def _columns(corpus: FileCorpus) -> TableColumns:
    return corpus.columns if isinstance(corpus, TableCorpus) else _ELLIPSE_COLUMNS


def _paths(corpus: FileCorpus, folder: Path) -> dict[str, Path]:
    """Return the file of each part; a path that is absolute stays as it is."""
    train = corpus.path if isinstance(corpus, TableCorpus) else corpus.train
    parts = {"train": folder / train}
    if corpus.locked is not None:
        parts["locked"] = folder / corpus.locked
    return parts
