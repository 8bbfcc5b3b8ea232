"""Tables of essays to score, read row by row by the rules of all tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.scale import ScoreScales
from essay_scoring.core.text import name_key, plain_name
from essay_scoring.data.data_settings import TableFormat
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.data.rows import (
    AUTO,
    Fault,
    Faults,
    ReadFile,
    Row,
    TableFile,
    open_table,
    require_column,
    shown,
)

PROMPT, PROMPT_TEXT = "prompt", "prompt_text"
_MOST_PROMPTS = 1000
MOST_CHARACTERS = 200_000
"""Longer texts are no essays, and the parser's memory grows with them."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ColumnNames:
    """What the columns of a table are called; `id` None where rows are told by number alone.

    `prompt` None is the column "prompt" if there is one; `same_prompt` is the prompt of all essays.
    `prompt_text` holds what the prompts asked; None is the column "prompt_text" if there is one.
    """

    text: str = "text"
    prompt: str | None = None
    id: str | None = None
    same_prompt: str | None = None
    prompt_text: str | None = None


DEFAULT_COLUMNS = ColumnNames()


@dataclass(frozen=True)
class InputTable(ReadFile):
    """A table that was read through: every row of it can be scored.

    `prompt_column` is None where all essays have one prompt, or none; `prompts` are the names there
    are, the first thousand; `prompt_texts` what those asked that were not trained on.
    """

    columns: ColumnNames
    prompt_column: str | None
    prompts: frozenset[str] = frozenset()
    prompt_texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def n_rows(self) -> int:
        """How many essays there are."""
        return self.file.n_rows

    def rows(self) -> Iterator[Row]:
        """Yield all rows in order."""
        return self.file.rows()

    def essays(self, rows: list[Row]) -> Essays:
        """Return the essays of rows."""
        text = self._place(self.columns.text)
        prompts = (plain_name(self.columns.same_prompt or ""),) * len(rows)
        if self.prompt_column is not None:
            at = self._place(self.prompt_column)
            prompts = tuple(self.file.name(row.cells[at]) for row in rows)
        return Essays(tuple(map(self._id, rows)), tuple(row.cells[text] for row in rows), prompts)

    def _id(self, row: Row) -> str:
        if self.columns.id is None:
            return f"row {row.number}"
        return self.file.name(row.cells[self._place(self.columns.id)])

    def _place(self, name: str) -> int:
        return self.names.index(name)


def open_input(
    path: Path,
    columns: ColumnNames,
    scales: ScoreScales,
    form: TableFormat = AUTO,
    trained: Mapping[str, str] | None = None,
) -> InputTable:
    """Return the table of a file once all of it can be scored.

    `trained` is what the model's prompts asked, None for a model that compares with no prompt.
    Raises InputError for the rows that cannot be: it names row, line and column, and says how to
    mend them.
    """
    file = open_table(path, form)
    for part in ("text", "id", "prompt", "prompt_text"):
        if (name := getattr(columns, part)) is not None:
            option = f"--{part.replace('_', '-')}-column"
            require_column(name, file.names, path, f"name the column with {option}")
    table = InputTable(file, columns, _prompt_column(file, columns, scales))
    texts = PromptTexts(trained, "of training")
    prompts = _checked(table, scales, None if trained is None else texts)
    return replace(table, prompts=prompts, prompt_texts=texts.by_name)


def _prompt_column(file: TableFile, columns: ColumnNames, scales: ScoreScales) -> str | None:
    """Return the column of the prompts, None without one; InputError where scales need prompts."""
    if columns.same_prompt is not None:
        return None
    if columns.prompt is not None or PROMPT in file.names:
        return columns.prompt or PROMPT
    mend = "name the column with --prompt-column, or the prompt of all essays with --prompt"
    if scales.shared is None:
        raise InputError(
            "the essays have no prompts, and the model has a scale for each prompt",
            where=str(file.path),
            mend=mend,
        )
    _log.warning(
        "%s has no column '%s': essays are scored without their prompts, and what compares an "
        "essay with its prompt has no value (%s)",
        file.path,
        PROMPT,
        mend,
    )
    return None


def _checked(table: InputTable, scales: ScoreScales, texts: PromptTexts | None) -> frozenset[str]:
    """Return the prompts there are; InputError for the rows that cannot be scored.

    What prompts asked is added to `texts`.
    """
    column = table.columns.prompt_text or PROMPT_TEXT
    at = table.names.index(column) if texts is not None and column in table.names else None
    faults, prompts = Faults(table.path), set[str]()
    known = set(map(name_key, scales.by_prompt))
    for row in table.rows():
        if row.fault is not None:
            faults.add(row, row.fault)
            continue
        essay = table.essays([row])
        if len(prompts) < _MOST_PROMPTS:
            prompts.update(essay.prompts)
        names = table.columns.text, table.prompt_column
        found = essay_fault(essay, *names, None if scales.shared else known)
        if found is not None:
            named, fault = found
            faults.add(row, fault, named, _id_of(table, row))
        elif texts is None or at is None:
            continue
        elif unlike := texts.fault(essay.prompts[0], row.cells[at], row.number):
            faults.add(row, unlike, column, _id_of(table, row))
    faults.check()
    return frozenset(prompts)


def _id_of(table: InputTable, row: Row) -> str:
    if table.columns.id is None:
        return ""
    return f", id {shown(row.cells[table.names.index(table.columns.id)])}"


def essay_fault(
    single: Essays, text: str, prompt: str | None, known: set[str] | None
) -> tuple[str | None, Fault] | None:
    """Return in which column something is wrong with a single essay, and what.

    The columns of texts and prompts are named `text` and `prompt` (None: there is none); `known`
    are the prompts that have a scale, None where one is shared.
    """
    [essay], [name] = single.texts, single.prompts
    if not any(map(str.isalnum, essay)):
        return text, Fault("the text is blank", "give the essay's text, or remove the row")
    if len(essay) > MOST_CHARACTERS:
        what = f"the text has {len(essay):,} characters, more than {MOST_CHARACTERS:,}"
        return text, Fault(what, "check that the cell holds one essay")
    if not name and prompt is not None:
        what = "the prompt is blank"
        return prompt, Fault(what, "name the prompt, or remove the row")
    if known is not None and name_key(name) not in known:
        what = f"the model has no score scale for the prompt {shown(name)}"
        mend = "use the name it has in training, or train with its scale"
        return prompt, Fault(what, mend)
    return None
