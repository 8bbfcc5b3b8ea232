"""The one base of everything that is written: a record is what is returned, written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.settings import build_settings

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Scheme = Literal["prompt_holdout", "stratified_text"]


class Record(BaseModel):
    """What a file, or a part of one, holds: these fields and no others, none of them changeable."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


AnyRecord = TypeVar("AnyRecord", bound=BaseModel)


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON atomically, making its folders."""
    write_json(path, record.model_dump(mode="json"))


def read_record(kind: type[AnyRecord], path: Path) -> AnyRecord:
    """Return the record of a JSON file; raise InputError naming the file and the first bad key."""
    return build_settings(kind, read_json(path), str(path))
