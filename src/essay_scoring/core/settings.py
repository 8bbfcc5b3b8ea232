"""The one base of every settings record, and how records are read from TOML."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import parsed, read_text

_MOST_TOML_BYTES = 4 << 20


class Settings(BaseModel):
    """A frozen record that refuses keys it does not know and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


Record = TypeVar("Record", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raise InputError if it is absent or not usable TOML."""
    text = read_text(path, _MOST_TOML_BYTES, "utf-8-sig")
    tables: dict[str, Any] = parsed(tomllib.loads, text, "TOML", str(path))
    return tables


def build_settings(record: type[Record], values: Any, where: str) -> Record:
    """Return the validated record; raise InputError with the full path of the first bad key."""
    try:
        return record.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        # A mistyped key is both unknown and missing; the first says how to mend it.
        first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        mend = "correct the value"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message, mend = "unknown key", _near(record, first["loc"])
        elif first["type"] == "missing":
            message, mend = "missing key", "add it"
        raise InputError(f"{key or 'top level'}: {message}", where=where, mend=mend) from None


def _near(record: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Return a hint naming the known key nearest to a mistyped one."""
    known = sorted(_all_keys(record))
    if loc[-1] in known:
        return f"remove it; '{loc[-1]}' is a key of another table"
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"did you mean '{near[0]}'?" if near else "remove it"


def _all_keys(record: type[BaseModel]) -> set[str]:
    """Return every key of a record and of the records inside it."""
    schema = record.model_json_schema()
    tables = [schema, *schema.get("$defs", {}).values()]
    return {key for table in tables for key in table.get("properties", {})}
