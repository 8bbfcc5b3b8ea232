"""What a table of scored essays holds, as far as its header and its cells tell.

Columns are found by their names, in the words of public corpora and of the field, and checked by
their cells. What was found is a corpus's settings: whoever knows better corrects them.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from essay_scoring.core.errors import InputError
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from essay_scoring.core.text import name_key, word_count
from essay_scoring.data import cells
from essay_scoring.data.data_settings import TableColumns, TableCorpus, TableFormat
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.data.rows import AUTO, place, shown
from essay_scoring.data.survey_words import (
    FOLD,
    GROUPS,
    ID,
    PREDICTED,
    PREDICTION_NAMES,
    PROMPT,
    PROMPT_TEXT,
    RATER,
    RATERS,
    SCORE,
    TEXT,
    TRAITS,
    TRUE,
    WEIGHT,
)
from essay_scoring.data.tables import Table, read_table

FEWEST_WORDS, MOST_GROUPS, MOST_SCORES = 15, 30, 200
_FEWEST_ASKED = 3
"""Words from which a cell tells what was asked."""

_STEPS = (1.0, 0.5, 0.25, 0.2, 0.1)
_LEVEL = re.compile(r"[A-Ca-c][12]\+?")
_LONGEST_LABEL = 20
"""A longer word is no label but an answer, of which no message shows more than a few letters."""

_SMALL = 10
"""A prompt of fewer essays does not show its scale."""


@dataclass(frozen=True)
class Named:
    """What whoever gave the table says of it: columns by role, labels in their order."""

    columns: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    form: TableFormat = AUTO


@dataclass(frozen=True, eq=False)
class TableSurvey:
    """A table as it was understood: the corpus, its essays by prompt, and who held out whom.

    `ranges` are the lowest and highest score by prompt; `words` the words of each essay, ascending;
    `unused` the columns without a part; `folds` the column of folds drawn elsewhere; `unlike` a
    column of what prompts asked that says two things of one prompt, and so is unused.
    """

    table: Table
    corpus: TableCorpus
    counts: Mapping[str, int]
    ranges: Mapping[str, tuple[float, float]]
    words: tuple[int, ...]
    folds: str | None
    unused: tuple[str, ...]
    unlike: str | None = None


ROLES = (
    *("id", "text", "prompt", "prompt_text", "score", "second_score", "rater", "weight", "fold"),
)
"""What a column can be named as."""


def survey_table(path: Path, named: Named) -> TableSurvey:
    """Return what a table of scored essays holds; InputError says what it is instead, or lacks."""
    table = read_table(path, named.form)
    for column in named.columns.values():
        table.column(column)
    columns = _columns(table, named)
    prompts = cells.prompt_cells(table, str(columns.prompt))
    keys: dict[str, str] = {}
    prompts = tuple(keys.setdefault(name_key(name), table.file.name(name)) for name in prompts)
    corpus, scores = _corpus(table, columns, prompts, named)
    folds = named.columns.get("fold") or _first(table, FOLD, _is_number)
    rows_of = {name: np.flatnonzero(np.array(prompts) == name) for name in dict.fromkeys(prompts)}
    ranges = {name: (float(np.nanmin(scores[rows])), float(np.nanmax(scores[rows])))
              for name, rows in rows_of.items() if np.isfinite(scores[rows]).any()}  # fmt: skip
    used = {columns.id, columns.text, columns.prompt, columns.score, *columns.other_scores}
    used |= {
        columns.rater,
        columns.weight,
        columns.prompt_text,
        folds,
        *columns.traits,
        *columns.writers,
    }
    return TableSurvey(
        table,
        corpus,
        {name: len(rows) for name, rows in rows_of.items()},
        ranges,
        tuple(sorted(map(word_count, table.column(columns.text)))),
        folds,
        tuple(name for name in table.names if name not in used),
        None if columns.prompt_text else next(iter(_asking(table, columns)), None),
    )


def _columns(table: Table, named: Named) -> TableColumns:
    """Return the parts that columns play; InputError where one that is needed is missing."""
    given = named.columns
    text = given.get("text") or _text_column(table)
    if text is None:
        raise _no_text(table)
    score = given.get("score") or _first(table, SCORE, lambda cells: _is_score(cells, named))
    raters = [name for name in _all(table, RATERS, _is_number) if name != score]
    if score is None and raters:
        score, *raters = raters
    else:
        raters = []
    if second := given.get("second_score"):
        raters = [second, *(name for name in raters if name != second)]
    essay_id = given.get("id") or _first(table, ID, _is_filled)
    prompt = given.get("prompt") or _prompt_column(table)
    if score is None:
        raise _no_score(table, text)
    if prompt is None:
        raise _blank_prompts(table) or _no_prompt(table, text, essay_id)
    if len({*map(name_key, table.column(prompt))}) < 2:
        raise _one_prompt(table, prompt)
    ids = table.column(essay_id) if essay_id else []
    repeats = len(set(ids)) < len(ids)
    rater = given.get("rater") or (_first(table, RATER, _is_filled) if repeats else None)
    weight = given.get("weight") or _first(table, WEIGHT, _is_weight)
    if rater and weight and not given.get("weight"):
        # A weight of a row is none of its essay.
        of_essays = {*zip(ids, table.column(weight), strict=True)}
        weight = weight if len(of_essays) == len({*ids}) else None
    taken = {text, score, essay_id, prompt, rater, weight, *raters}
    columns = TableColumns(
        id=essay_id,
        text=text,
        prompt=prompt,
        score=score,
        second_score=next(iter(raters), None),
        further_scores=tuple(name for name in raters[1:] if _numbered_alike(name, raters[0])),
        rater=rater,
        weight=None if weight in {score, essay_id, prompt, *raters} else weight,
        traits=tuple(name for name in _all(table, TRAITS, _is_number) if name not in taken),
        writers=tuple(name for name in _all(table, GROUPS, _is_group) if name not in taken),
    )
    asked = (name for name in _asking(table, columns) if _tells_prompts(table, prompt, name))
    return columns.model_copy(update={"prompt_text": given.get("prompt_text") or next(asked, None)})


def _prompt_column(table: Table) -> str | None:
    """Return the column of the prompts' names: not that of what they asked, if both are there."""
    found = _all(table, PROMPT, _is_filled)
    first = next(iter(found), None)
    if first is None or _typical_words(table.column(first)) < FEWEST_WORDS:
        return first
    # As many names as texts, each of one text: the names of what the first column holds.
    names = (name for name in found if _typical_words(table.column(name)) < FEWEST_WORDS)
    others = (
        name
        for name in names
        if _tells_prompts(table, name, first) and _tells_prompts(table, first, name)
    )
    return next(others, first)


def _asking(table: Table, columns: TableColumns) -> list[str]:
    """Return the columns that by their names and cells hold what prompts asked."""
    taken = {columns.id, columns.text, columns.prompt, columns.score, columns.rater}
    return [
        name
        for name in _all(table, PROMPT_TEXT, _is_filled)
        if name not in taken
        and _typical_words(table.column(name)) >= _FEWEST_ASKED
        and len({*map(name_key, table.column(name))}) > 1
    ]


def _tells_prompts(table: Table, prompt: str, text: str) -> bool:
    """Tell whether each prompt has one text."""
    texts = PromptTexts()
    pairs = zip(table.column(prompt), table.column(text), strict=True)
    return not any(texts.fault(name, cell, 0) for name, cell in pairs)


def _corpus(
    table: Table, columns: TableColumns, prompts: Sequence[str], named: Named
) -> tuple[TableCorpus, FloatArray]:
    """Return the corpus, and the score of each row as a number, NaN where there is none."""
    written = [cell.strip() for cell in table.column(columns.score)]
    labels = named.labels or _labels(written, table, columns.score)
    settings = {
        "path": table.path.name,
        "columns": columns,
        "labels": labels,
        "raters": "mean" if columns.second_score or columns.rater else "first",
        **named.form.model_dump(),
    }
    if labels:
        place = {name_key(name): at for at, name in enumerate(labels, start=1)}
        scores = np.array([place.get(name_key(cell), np.nan) for cell in written])
        return TableCorpus.model_validate(settings), scores
    scores = cells.number_cells(table, columns.score)
    table.check()
    seen = scores
    if others := columns.other_scores:
        # All are on one scale: what one never gave another may have.
        seen = np.concatenate([scores, *(cells.number_cells(table, name) for name in others)])
        prompts = (*prompts,) * (1 + len(others))
    scales = scales_seen(seen, prompts)
    return TableCorpus.model_validate({**settings, "scales": scales}), scores


def scales_seen(scores: FloatArray, prompts: Sequence[str]) -> ScoreScales:
    """Return the scales that scores show: one for all, or one a prompt where they differ clearly.

    They differ where the highest score of one prompt is at least twice that of another.
    """
    known = np.isfinite(scores)
    if not known.any():
        raise InputError("there is no score", mend="name the column of the scores")
    by_prompt: dict[str, FloatArray] = {}
    names = np.array(prompts)
    for name in dict.fromkeys(prompts):
        by_prompt[name] = scores[known & (names == name)]
    large = [values for values in by_prompt.values() if len(values) >= _SMALL]
    highs = [float(values.max()) for values in large]
    if len(highs) > 1 and min(highs) > 0 and max(highs) >= 2 * min(highs):
        return ScoreScales(by_prompt={n: _scale(v) for n, v in by_prompt.items() if len(v)})
    return ScoreScales(shared=_scale(scores[known]))


def _scale(values: FloatArray) -> ScoreScale:
    """Return the scale from the lowest to the highest of some scores, by the widest step."""
    step = next((step for step in _STEPS if _all_on(values, step)), 1.0)
    low = math.floor(float(values.min()) / step + 1e-9) * step
    high = math.ceil(float(values.max()) / step - 1e-9) * step
    return ScoreScale(low=low, high=high if high > low else low + step, step=step)


def _all_on(values: FloatArray, step: float) -> bool:
    """Tell whether all scores are whole multiples of a step."""
    steps = values / step
    return bool((np.abs(steps - np.round(steps)) < 1e-6).all())


def _labels(written: Sequence[str], table: Table, column: str) -> tuple[str, ...]:
    """Return named labels in order, none for numbers; InputError where no order is known."""
    spelled = {name_key(cell): cell for cell in sorted(written, reverse=True) if cell}
    words = sorted(spelled.values())
    if not words or _share(words, _number_like) > 0.5:
        return ()
    if _share(words, _number_of_a_kind) > 0.5:
        # Each is told with its row, as what is no number.
        cells.number_cells(table, column)
        table.check()
    if all(map(_LEVEL.fullmatch, words)):
        return tuple(sorted(words, key=str.lower))
    raise InputError(
        f"the scores of column '{column}' are words ({', '.join(map(shown, words[:8]))}), and "
        "their order is not known",
        where=str(table.path),
        mend=f"give them in ascending order: --labels {','.join(words[:8])}"
        if len(words) <= MOST_GROUPS and max(map(len, words)) <= _LONGEST_LABEL
        else "name another column: --column score=NAME",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9äöüß]", "", name.lower())


def _numbered_alike(name: str, other: str) -> bool:
    """Tell whether two columns are called the same but for a number."""
    return re.sub(r"\d", "", _plain(name), count=1) == re.sub(r"\d", "", _plain(other), count=1)


def _all(table: Table, words: Iterable[str], fits: Callable[[list[str]], bool]) -> list[str]:
    """Return the columns of these names whose cells fit, in the order of the names.

    What lay inside an object of JSON may have its last name alone, `scores.overall`.
    """
    by_name = {_plain(name.rpartition(".")[2]): name for name in reversed(table.names)}
    by_name |= {_plain(name): name for name in reversed(table.names)}
    found = (by_name[word] for word in words if word in by_name)
    return [name for name in dict.fromkeys(found) if fits(table.column(name))]


def _first(table: Table, words: Iterable[str], fits: Callable[[list[str]], bool]) -> str | None:
    return next(iter(_all(table, words, fits)), None)


def _share(values: Sequence[str], holds: Callable[[str], object]) -> float:
    filled = [cell.strip() for cell in values if cell.strip()]
    return sum(bool(holds(cell)) for cell in filled) / len(filled) if filled else 0.0


def _number_like(cell: str) -> object:
    return re.fullmatch(r"[+-]?\d+([.,]\d+)?", cell)


def _number_of_a_kind(cell: str) -> object:
    """Tell whether there are digits and no letters, 1.200,50 or 75% or a date; 2+ is a label."""
    is_label = re.fullmatch(r"\d+[+-]", cell)
    return not is_label and any(map(str.isdigit, cell)) and not any(map(str.isalpha, cell))


def _is_number(values: list[str]) -> bool:
    return _share(values, _number_like) > 0.9


def _is_weight(values: list[str]) -> bool:
    """Tell whether all are numbers greater than 0."""
    try:
        numbers = [float(cell.replace(",", ".", 1)) for cell in values]
    except ValueError:
        return False
    return all(0 < number < math.inf for number in numbers)


def _is_filled(values: list[str]) -> bool:
    return sum(map(bool, map(str.strip, values))) > 0.9 * len(values)


def _is_group(values: list[str]) -> bool:
    return 2 <= len({cell.strip() for cell in values} - {""}) <= MOST_GROUPS


def _is_score(values: list[str], named: Named) -> bool:
    different = {cell.strip() for cell in values} - {""}
    if _is_number(values):
        return 2 <= len(different) <= MOST_SCORES
    return bool(named.labels) or 2 <= len(different) <= MOST_GROUPS


def _text_column(table: Table) -> str | None:
    """Return the column of essays: one of their names with long cells, else the longest cells."""
    lengths = {name: _typical_words(table.column(name)) for name in table.names}
    long = [name for name, words in lengths.items() if words >= FEWEST_WORDS]
    named = [name for word in TEXT for name in long if _plain(name) == word]
    return next(iter(named), max(long, key=lengths.__getitem__, default=None))


def _typical_words(values: list[str]) -> float:
    """Return the mean number of words of the first cells."""
    some = values[:200]
    return sum(map(word_count, some)) / len(some)


def _no_text(table: Table) -> InputError:
    """Return what a table without essays is: predictions to import, or no table of essays."""
    true, predicted = _first(table, TRUE, _is_number), _first(table, PREDICTED, _is_number)
    if true and predicted:
        return _predictions(table, true)
    if _first(table, FOLD, _is_filled) and _first(table, ID, _is_filled):
        return InputError(
            "this is a table of folds, without essays",
            where=str(table.path),
            mend=f"essay-scoring init ESSAYS --folds {shlex.quote(str(table.path))}; or give it to "
            "a run: essay-scoring cv CONFIG --splits-path FILE",
        )
    return InputError(
        f"no column holds essays; the columns are {', '.join(map(shown, table.names[:20]))}",
        where=str(table.path),
        mend="name it with --column text=NAME",
    )


_PARTS = {
    "record_id": ID,
    "prompt": PROMPT,
    "fold": FOLD,
    "y_true": TRUE,
    "y_pred_raw": PREDICTED,
}


def _predictions(table: Table, true: str) -> InputError:
    """Return the command that makes a run of a file of predictions."""
    scores = cells.number_cells(table, true)
    scale = _scale(scores[np.isfinite(scores)])
    path = shlex.quote(str(table.path))
    words = [f"essay-scoring import-predictions {path} --run-name imported"]
    words += [f"--column {shlex.quote(f'{part}={name}')}" for part, name in _odd_names(table)]
    words.append(f"--scale {scale.low:g}:{scale.high:g}:{scale.step:g}")
    if not _holds_prompts_out(table):
        words.append("--scheme stratified_text")
    return InputError(
        "this is a file of predictions without essays: nothing can be trained on it, but it can be "
        "judged as a run",
        where=str(table.path),
        mend=" ".join(words),
    )


def _odd_names(table: Table) -> list[tuple[str, str]]:
    """Return the columns of predictions that have other names than an import looks for."""
    found = {part: _first(table, words, _is_filled) for part, words in _PARTS.items()}
    known = {part: (part, *PREDICTION_NAMES[part]) for part in _PARTS}
    return [
        (part, name)
        for part, name in found.items()
        if name is not None and not {*known[part]} & {*table.names}
    ]


def _holds_prompts_out(table: Table) -> bool:
    """Tell whether predictions have prompts, and folds, if any, that divide none of them."""
    prompt, fold = (_first(table, words, _is_filled) for words in (PROMPT, FOLD))
    if prompt is None:
        return False
    prompts = table.column(prompt)
    folds = table.column(fold) if fold is not None else ["0"] * len(prompts)
    return len({*zip(prompts, folds, strict=True)}) == len({*prompts})


def _no_score(table: Table, text: str) -> InputError:
    return InputError(
        f"no column holds scores beside the essays in '{text}'; the columns are "
        f"{', '.join(map(shown, table.names[:20]))}",
        where=str(table.path),
        mend="name it with --column score=NAME; essays without scores are for: essay-scoring score",
    )


def _one_prompt(table: Table, prompt: str) -> InputError:
    return InputError(
        "all essays answer one prompt, so no prompt can be held out, and nothing that is trained "
        "on them can be judged",
        where=f"{table.path}, column '{prompt}'",
        mend="add essays on other prompts, or name another column: --column prompt=NAME; a trained "
        "model can score them: essay-scoring score",
    )


def _blank_prompts(table: Table) -> InputError | None:
    """Return what is wrong with a column of prompts of which some rows have none."""
    column = _first(table, PROMPT, lambda cells: any(map(str.strip, cells)))
    if column is None:
        return None
    blank = [row for row, cell in enumerate(table.column(column)) if not cell.strip()]
    return InputError(
        f"the prompt is blank in {len(blank)} of {table.n_rows} rows",
        where=f"{place(table.path, table.rows[blank[0]].number, table.rows[blank[0]].line)}, "
        f"column '{column}'",
        mend="write it in every row (of merged cells the first alone holds it), or name another "
        "column: --column prompt=NAME",
    )


def _no_prompt(table: Table, text: str, essay_id: str | None) -> InputError:
    named = f" --id-column {shlex.quote(essay_id)}" if essay_id else ""
    return InputError(
        "the essays have no prompts, so nothing can be trained on them: a scorer is judged on "
        "prompts that it has not seen, so whole prompts are held out. A trained model of one scale "
        f"can score them: essay-scoring score MODEL {shlex.quote(str(table.path))} "
        f"--text-column {shlex.quote(text)}{named} "
        "-o scores.csv",
        where=str(table.path),
        mend="name the column of the prompts with --column prompt=NAME, or add one",
    )
