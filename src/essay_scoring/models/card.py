"""The card of a saved scorer, `scorer.json`: what was fitted, how, and on which columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.settings import Settings
from essay_scoring.models.scorer_settings import ScorerSettings, TrainingSettings

CARD_NAME = "scorer.json"
FORMAT = 1
REFIT = "restore the folder, or fit the scorer again"


class Card(Settings):
    """All of a saved scorer but its numbers, which lie in `files` (name to sha256).

    `columns` are the feature columns it was fitted on, in order; `facts` what fitting found
    (rounds, strength, classes); `members` counts the subfolders `member-0`, ... of a seed ensemble.
    """

    format: Literal[1] = 1
    settings: ScorerSettings
    training: TrainingSettings
    seed: int
    columns: tuple[str, ...] = ()
    facts: dict[str, int | float] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    members: int = Field(default=1, ge=1, le=50)


def write_card(folder: Path, card: Card) -> None:
    """Write the card; written last, it marks the folder as whole."""
    write_json(folder / CARD_NAME, card.model_dump(mode="json"))


def read_card(folder: Path) -> Card:
    """Return the card of a folder; raise InputError if it is absent or of another format."""
    path = folder / CARD_NAME
    value: Any = read_json(path)
    written = value.get("format") if isinstance(value, dict) else None
    if type(written) is not int or written != FORMAT:
        raise InputError(
            f"format {written!r} of a saved scorer is unknown, this version reads {FORMAT}",
            where=str(path),
            mend="fit the scorer again, or load it with the version that saved it",
        )
    try:
        return Card.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{key}: {first['msg']}", where=str(path), mend=REFIT) from None


def saved_file(folder: Path, card: Card, name: str) -> Path:
    """Return the path of a model file once its bytes are those that were saved, else InputError."""
    path = folder / name
    if not path.is_file():
        raise InputError("no such file", where=str(path), mend=REFIT)
    if card.files.get(name) != file_sha256(path):
        raise InputError(f"its sha256 is not the one in {CARD_NAME}", where=str(path), mend=REFIT)
    return path


def saved_fact(folder: Path, card: Card, name: str) -> int | float:
    """Return what fitting found under `name`; raise InputError if the card does not say."""
    if name not in card.facts:
        raise InputError(f"facts.{name} is missing", where=str(folder / CARD_NAME), mend=REFIT)
    return card.facts[name]
