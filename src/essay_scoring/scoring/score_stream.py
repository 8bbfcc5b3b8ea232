"""`score -`: essays as lines of JSON, each answered by one line before the next is waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from essay_scoring.core.errors import EssayScoringError, InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import parsed
from essay_scoring.core.text import name_key, plain_name
from essay_scoring.data.prompt_texts import PromptTexts
from essay_scoring.scoring.flags import FLAGS
from essay_scoring.scoring.input_table import (
    MOST_CHARACTERS,
    PROMPT,
    PROMPT_TEXT,
    ColumnNames,
    essay_fault,
)
from essay_scoring.scoring.model import COLUMNS, Scored, TrainedModel, compared_texts

_MOST_BYTES = 16 * MOST_CHARACTERS
"""Of a line: an essay whose every character is an escape, and as much beside it."""

_OBJECT = 'write one object a line, such as {"text": "...", "prompt": "..."}'


def score_lines(
    model: TrainedModel, lines: BinaryIO, columns: ColumnNames, *, keep_text: bool = False
) -> Iterator[str]:
    """Yield one line of JSON for every line read, in order.

    An answer is the line's own object, without the essay unless `keep_text`, with COLUMNS added:
    numbers, and true or false. What is wrong with a line is said in `error`, `mend` (how to correct
    it) and `line` (its number) instead; the lines after it are scored all the same.
    """
    known = None if model.scales.shared else set(map(name_key, model.scales.by_prompt))
    trained = compared_texts(model.config)
    texts = None if trained is None else PromptTexts(trained, "of training", "line")
    number = 0
    while data := lines.readline(_MOST_BYTES):
        number += 1
        kept: dict[str, object] = {}
        try:
            if len(data) == _MOST_BYTES and not data.endswith(b"\n"):
                _pass_over(lines)
                raise InputError(f"a line of {_MOST_BYTES:,} bytes or more", mend=_OBJECT)
            given = _object(data)
            kept = {k: v for k, v in given.items() if keep_text or k != columns.text}
            essay = _essay(given, columns, number, known)
            if texts is not None:
                _ask(model, texts, essay, given.get(columns.prompt_text or PROMPT_TEXT), number)
            answer = kept | _answer(model.score(essay)[0])
        except EssayScoringError as error:
            answer = kept | {"error": error.what, "mend": error.mend, "line": number}
        yield json.dumps(answer)


def _ask(model: TrainedModel, texts: PromptTexts, essay: Essays, text: object, number: int) -> None:
    """Tell the model what a line's prompt asked; InputError where it is not what it was before."""
    [prompt] = essay.prompts
    fault = texts.fault(prompt, text, number) if isinstance(text, str) else None
    if fault is not None:
        raise InputError(fault.what, mend=fault.mend)
    if prompt in texts.by_name:
        model.ask({prompt: texts.by_name.pop(prompt)})


def _pass_over(lines: BinaryIO) -> None:
    """Read to the end of a line."""
    while (data := lines.readline(_MOST_BYTES)) and not data.endswith(b"\n"):
        pass


def _object(data: bytes) -> dict[str, object]:
    """Return the object of a line; InputError for anything else."""
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", mend=_OBJECT) from None
    if not text:
        raise InputError("a blank line", mend=_OBJECT)
    given: object = parsed(_strict_json, text, "JSON", "")
    if not isinstance(given, dict):
        raise InputError("not an object", mend=_OBJECT)
    if taken := sorted(given.keys() & {*COLUMNS, "error", "mend", "line"}):
        raise InputError(f"a key {taken[0]!r}, which answers have", mend="rename or remove it")
    return given


def _strict_json(text: str) -> object:
    def refuse(name: str) -> object:
        raise ValueError(f"{name} is no number of JSON")

    return json.loads(text, parse_constant=refuse)


def _essay(
    given: dict[str, object], columns: ColumnNames, number: int, known: set[str] | None
) -> Essays:
    """Return the essay of a line as if it were a row; InputError if it cannot be scored."""
    prompt_key = None if columns.same_prompt is not None else columns.prompt or PROMPT
    text, prompt = _string(given, columns.text), columns.same_prompt or ""
    if prompt_key is not None and (known is not None or prompt_key in given):
        prompt = _string(given, prompt_key)
    named = None if columns.id is None else given.get(columns.id)
    essay_id = plain_name(str(named)) if isinstance(named, str | int) else f"line {number}"
    essay = Essays((essay_id,), (text,), (plain_name(prompt),))
    found = essay_fault(essay, columns.text, prompt_key if prompt_key in given else None, known)
    if found is not None:
        _, fault = found
        raise InputError(fault.what, mend=fault.mend.replace("row", "line"))
    return essay


def _string(given: dict[str, object], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str):
        what = "is no string" if key in given else "is missing"
        raise InputError(f"the key {key!r} {what}", mend=_OBJECT)
    return value


def _answer(scored: Scored) -> dict[str, object]:
    values = (scored.band, scored.raw, scored.low, scored.high, *scored.flags)
    numbers = len(COLUMNS) - len(FLAGS)
    return {
        name: float(value) if at < numbers else bool(value)
        for at, (name, value) in enumerate(zip(COLUMNS, values, strict=True))
    }
