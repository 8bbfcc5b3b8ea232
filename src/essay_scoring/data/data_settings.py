"""Settings of corpora, preparation and splits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from essay_scoring.core.scale import ScoreScale, ScoreScales
from essay_scoring.core.settings import Settings

Encoding = Literal[
    "auto",
    "utf-8",
    "utf-16",
    "cp1252",
    "latin-1",
    "mac-roman",
    "iso-8859-15",
    "cp1250",
    "iso-8859-2",
    "cp1251",
    "koi8-r",
    "cp1253",
    "cp1254",
    "gb18030",
    "big5",
    "shift-jis",
    "euc-kr",
]

_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}


def _is_unset(value: str | None) -> bool:
    return value is None


Later = Annotated[str | None, Field(exclude_if=_is_unset)]
"""A setting that came later: where it is not set, settings are written and named as before it."""


class TableFormat(Settings):
    """How the text of a table is read; `auto` is what the file itself tells.

    `separator` is one character or a word (comma, semicolon, tab, pipe); `quoting` none takes
    quotes as characters of the text, and every line as a row.
    """

    encoding: Encoding = "auto"
    separator: str = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    quoting: Literal["double", "none"] = "double"

    @field_validator("separator")
    @classmethod
    def _one_character(cls, value: str) -> str:
        mark = _SEPARATORS.get(value, value)
        if mark != "auto" and (len(mark) != 1 or mark.isalnum() or mark in '"\r\n'):
            raise ValueError("a separator is one character, or comma, semicolon, tab or pipe")
        return mark


class EllipseCorpus(Settings):
    """The ELLIPSE authors' two files, relative to the data folder; `score` is what is learnt."""

    kind: Literal["ellipse"] = "ellipse"
    score: Literal[
        "Overall",
        "Cohesion",
        "Syntax",
        "Vocabulary",
        "Phraseology",
        "Grammar",
        "Conventions",
    ] = "Overall"
    train: str = "ellipse/ellipse_train.csv"
    locked: str = "ellipse/ellipse_test.csv"


class TableColumns(Settings):
    """Which column of a table holds what; without a column of ids they are the rows' numbers.

    `further_scores` are of a third rater and so on; `rater` names each row's rater in a table that
    has a row for each essay and rater. A trait that is the score is no trait beside it. `weight`
    holds by how much an essay counts in training, `prompt_text` what its prompt asked: relevance is
    measured against that.
    """

    id: str | None = None
    text: str
    prompt: str | None = None
    score: str
    second_score: str | None = None
    further_scores: tuple[str, ...] = ()
    rater: str | None = None
    weight: Later = None
    prompt_text: Later = None
    traits: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()

    @property
    def other_scores(self) -> tuple[str, ...]:
        """Return the columns of the raters after the first, in their order."""
        second = () if self.second_score is None else (self.second_score,)
        return second + self.further_scores

    @model_validator(mode="after")
    def _raters_stand_in_one_way(self) -> Self:
        if self.further_scores and (self.second_score is None or self.rater is not None):
            raise ValueError(
                "further_scores are of raters after the second, whose column is second_score; "
                "with rater, each rater has a row and score is the only column"
            )
        return self


class TableCorpus(TableFormat):
    """Any table that `data.rows` reads; `locked` optionally names a second one, the locked test.

    `labels` names the scores in ascending order where they are no numbers. `real_scores` says
    whether scores may lie between the labels of the scale; unset, the table tells. `raters` says
    what is learnt where there are several: the score of the first, or the mean of all. Agreement is
    measured with the first, ceilings with the second.
    """

    kind: Literal["table"] = "table"
    path: str
    locked: str | None = None
    columns: TableColumns
    scales: ScoreScales
    labels: tuple[str, ...] = ()
    real_scores: bool | None = None
    raters: Literal["first", "mean"] = "first"

    @model_validator(mode="before")
    @classmethod
    def _scale_of_labels(cls, values: Any) -> Any:
        """Give labels without a scale the scale 1 to n."""
        labels = values.get("labels") if isinstance(values, dict) else None
        if isinstance(labels, list | tuple) and len(labels) > 1 and "scales" not in values:
            return {**values, "scales": {"shared": {"low": 1, "high": len(labels)}}}
        return values

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        shared = self.scales.shared
        if self.labels and (shared is None or shared.n_labels != len(self.labels)):
            raise ValueError(
                f"{len(self.labels)} labels need one scale of as many scores, low = 1, "
                f"high = {len(self.labels)}, step = 1 (or leave `scales` out)"
            )
        return self


class SyntheticCorpus(Settings):
    """A made corpus. `shortcut` from 0 to 1: how far topic words give away the training scores."""

    kind: Literal["synthetic"] = "synthetic"
    n_essays: int = Field(default=1200, ge=20, le=200_000)
    n_locked: int = Field(default=200, ge=0, le=50_000)
    n_prompts: int = Field(default=12, ge=2, le=200)
    seed: int = 7
    shortcut: float = Field(default=0.0, ge=0.0, le=1.0)
    scale: ScoreScale = ScoreScale(low=1, high=5, step=0.5)


Corpus = Annotated[EllipseCorpus | TableCorpus | SyntheticCorpus, Field(discriminator="kind")]


class Preparation(Settings):
    """Which essays stay: whole prompts out, and a window of word counts, both ends included.

    `similar_prompts`: what to do about prompts whose names differ by what may be a typing error.
    `repeats`: what to do about a text that is there several times: keep all, keep the first, keep
    the first with the mean of the scores, or drop all.
    """

    exclude_prompts: tuple[str, ...] = ()
    similar_prompts: Literal["refuse", "merge", "keep"] = "refuse"
    repeats: Literal["keep", "first", "mean", "drop"] = "keep"
    min_words: int = Field(default=200, ge=0)
    max_words: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError("min_words must not exceed max_words")
        return self


class SplitSettings(Settings):
    """How folds are drawn.

    `partition` 0 deals prompts out by size and bands, whatever the seed but for ties; 1, 2, ... are
    further partitions of the prompts, each drawn at random.
    """

    n_splits: int = Field(default=5, ge=2, le=50)
    seed: int = 42
    partition: int = Field(default=0, ge=0)


class DataSettings(Settings):
    """A corpus, how it is prepared, and how it is split."""

    corpus: Corpus
    preparation: Preparation = Preparation()
    splits: SplitSettings = SplitSettings()
