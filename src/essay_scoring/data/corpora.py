"""Corpora: where their files are and how they become essays.

Scores of a locked test are read by `data.locked` alone: what is loaded from its file here are ids,
texts and prompts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.files import plain_path
from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.core.text import plain_name
from essay_scoring.data import cells
from essay_scoring.data.data_settings import (
    Corpus,
    EllipseCorpus,
    SyntheticCorpus,
    TableColumns,
    TableCorpus,
)
from essay_scoring.data.prompt_names import one_spelling
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.data.raters import Ratings, mean_of_raters, merge_raters
from essay_scoring.data.rows import AUTO, require_file, shown
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


DATA = Path("data")
"""Where the files of a corpus are sought that do not lie beside their config."""

_ELLIPSE_SCALES = ScoreScales(shared=ScoreScale(low=1.0, high=5.0, step=0.5))


def data_folder(corpus: Corpus | None = None, *places: Path | None) -> Path:
    """Return the folder that corpus paths are relative to.

    That is ESSAY_SCORING_DATA, or the first of `places` that holds the corpus's file, or `data`.
    """
    named = os.environ.get("ESSAY_SCORING_DATA")
    if named or corpus is None or isinstance(corpus, SyntheticCorpus):
        return Path(named or DATA)
    holds = (place for place in places if place and _paths(corpus, place)["train"].is_file())
    return next(holds, DATA)


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a corpus holds: scored training essays, and locked essays (maybe none) without scores.

    `encodings` tells how each part's file was read (empty for a synthetic corpus), `prompt_names`
    which spellings of prompts stand for others, `prompt_texts` what prompts asked.
    """

    train: ScoredEssays
    locked: Essays
    encodings: dict[str, str]
    prompt_names: dict[str, str] = field(default_factory=dict)
    prompt_texts: dict[str, str] = field(default_factory=dict, repr=False)


def load(corpus: Corpus, folder: Path) -> Loaded:
    """Return both parts of a corpus, checked; InputError names file, row and column of a fault."""
    if isinstance(corpus, SyntheticCorpus):
        return Loaded(generate(corpus, "train"), generate(corpus, "locked").essays, {})
    paths = _paths(corpus, folder)
    tables = {part: _open(corpus, path) for part, path in paths.items()}
    spelled = {part: _spelled(corpus, table) for part, table in tables.items()}
    every = [name for names in spelled.values() for name in names]
    names = one_spelling(every, scales_of(corpus).by_prompt)
    prompts = {part: tuple(names[name] for name in own) for part, own in spelled.items()}
    texts = _prompt_texts(corpus, tables, prompts)
    locked = Essays((), (), ())
    if "locked" in tables:
        locked = _essays(corpus, tables["locked"], prompts["locked"])
        tables["locked"].check()
    encodings = {part: table.file.encoding for part, table in tables.items()}
    other = {name: stands for name, stands in names.items() if name != stands}
    train = _scored(corpus, tables["train"], prompts["train"], weighted=True)
    return Loaded(train, locked, encodings, other, texts)


def load_train(corpus: Corpus, folder: Path) -> ScoredEssays:
    """Return the scored training essays; InputError names file, row and column of a fault."""
    return load(corpus, folder).train


def load_locked_essays(corpus: Corpus, folder: Path) -> Essays | None:
    """Return the locked essays without their scores; None where the corpus has no locked test."""
    if isinstance(corpus, SyntheticCorpus):
        return generate(corpus, "locked").essays if corpus.n_locked else None
    return load(corpus, folder).locked if corpus.locked is not None else None


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


def read_scored(corpus: FileCorpus, path: Path, names: Mapping[str, str]) -> ScoredEssays:
    """Return the scored essays of one file that has the columns of the corpus.

    `names` are the spellings of prompts that stand for others. Weights are of training, so none are
    read.
    """
    table = _open(corpus, path)
    spelled = _spelled(corpus, table)
    stands = {name: plain_name(name) for name in spelled} | dict(names)
    return _scored(corpus, table, tuple(stands[name] for name in spelled), weighted=False)


def _prompt_texts(
    corpus: FileCorpus, tables: Mapping[str, Table], prompts: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Return what each prompt asked, by its name; a second text for one prompt is a fault."""
    column = _columns(corpus).prompt_text
    texts = PromptTexts()
    for part, table in tables.items():
        if column is None or (part != "train" and column not in table.names):
            continue
        pairs = zip(prompts[part], table.column(column), strict=True)
        for row, (prompt, text) in enumerate(pairs):
            if fault := texts.fault(prompt, text, table.rows[row].number):
                table.fault(row, *fault, column)
    return texts.by_name


def _scored(
    corpus: FileCorpus, table: Table, prompts: tuple[str, ...], *, weighted: bool
) -> ScoredEssays:
    columns, scales = _columns(corpus), scales_of(corpus)
    essays, reading, learnt = _essays(corpus, table, prompts), cells.NUMBERS, "first"
    if isinstance(corpus, TableCorpus):
        reading = cells.ScoreReading(corpus.labels, corpus.real_scores)
        learnt = corpus.raters
    scores = partial(cells.score_cells, table, prompts=prompts, scales=scales, reading=reading)
    first = scores(columns.score)
    others = [scores(name, may_be_missing=True) for name in columns.other_scores]
    ratings = Ratings(
        essays,
        first,
        others[0] if others else None,
        {name: cells.number_cells(table, name) for name in columns.traits},
        {name: cells.label_cells(table, name) for name in columns.writers},
        mean_of_raters([first, *others]) if others else None,
        cells.weight_cells(table, columns.weight) if weighted and columns.weight else None,
    )
    if columns.rater is not None:
        ratings = merge_raters(ratings, cells.label_cells(table, columns.rater), table)
    table.check()
    return ratings.scored(scales, mean=learnt == "mean")


def _essays(corpus: FileCorpus, table: Table, prompts: tuple[str, ...]) -> Essays:
    columns = _columns(corpus)
    return Essays(
        cells.id_cells(table, columns.id, may_repeat=columns.rater is not None),
        cells.text_cells(table, columns.text),
        prompts,
    )


def _spelled(corpus: FileCorpus, table: Table) -> tuple[str, ...]:
    """Return the prompts as they are spelled; InputError where there is no column of them."""
    column = _columns(corpus).prompt
    if column is None or column not in table.names:
        named = "none is named" if column is None else f"there is no column '{column}'"
        there = ", ".join(map(shown, table.names))
        raise InputError(
            f"the essays have no prompts ({named}; the columns are {there}): a scorer is judged on "
            "prompts that it has not seen, so whole prompts are held out, and scores of essays "
            "whose prompt was trained on say nothing of a new one",
            where=str(table.path),
            mend="name the column of the prompts with data.corpus.columns.prompt, or add one; new "
            "essays without prompts can be scored with a model of one scale",
        )
    return cells.prompt_cells(table, column)


def _open(corpus: FileCorpus, path: Path) -> Table:
    table = read_table(path, corpus if isinstance(corpus, TableCorpus) else AUTO)
    columns = _columns(corpus)
    for name in (columns.id, columns.text):
        if name is not None:
            table.column(name)
    return table


def _columns(corpus: FileCorpus) -> TableColumns:
    columns = (
        _ELLIPSE_COLUMNS.model_copy(update={"score": corpus.score})
        if isinstance(corpus, EllipseCorpus)
        else corpus.columns
    )
    traits = tuple(name for name in columns.traits if name != columns.score)
    return columns.model_copy(update={"traits": traits})


def _paths(corpus: FileCorpus, folder: Path) -> dict[str, Path]:
    """Return the file of each part; a path that is absolute stays as it is."""
    train = corpus.path if isinstance(corpus, TableCorpus) else corpus.train
    parts = {"train": plain_path(folder / train)}
    if corpus.locked is not None:
        parts["locked"] = plain_path(folder / corpus.locked)
    return parts
