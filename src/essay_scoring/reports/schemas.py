"""JSON schemas of what the project reads and writes, and the same fields as tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from essay_scoring.core.files import write_text
from essay_scoring.reports.table_cells import markdown_table

FIELDS = "fields.md"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_HEADER = ("field", "type", "meaning")


@dataclass(frozen=True)
class Schema:
    """A file that has a schema: the schema's name, where the file lies, and its record.

    Of a file of JSON lines, the record is one line.
    """

    name: str
    path: str
    record: type[BaseModel]

    @property
    def file(self) -> str:
        """The name of the schema's own file."""
        return f"{self.name}.schema.json"


def write_schemas(schemas: Sequence[Schema], folder: Path) -> list[Path]:
    """Write NAME.schema.json for each schema, and fields.md with all their fields, into a folder.

    Returns the paths. The same records give the same bytes.
    """
    texts = {schema.file: schema_text(schema) for schema in schemas}
    texts[FIELDS] = fields_text(schemas)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def schema_text(schema: Schema) -> str:
    """Return a record's JSON schema, draft 2020-12."""
    return json.dumps({"$schema": _DRAFT, **_json_schema(schema)}, indent=2) + "\n"


def fields_text(schemas: Sequence[Schema]) -> str:
    """Return Markdown with a table of fields for each file and for each record inside one."""
    parts: dict[str, Any] = {}
    blocks = ["# Fields", _INTRODUCTION]
    for schema in schemas:
        whole = _json_schema(schema)
        for name, part in whole.get("$defs", {}).items():
            if parts.setdefault(name, part) != part:
                raise ValueError(f"two records are called {name}")
        blocks += [
            f"## {schema.name}",
            f"`{schema.path}` ([schema]({schema.file}))",
            *_table(whole),
        ]
    blocks.append("## Records inside")
    for name in sorted(parts):
        blocks += [f"### {name}", *_table(parts[name])]
    return "\n\n".join(blocks) + "\n"


_INTRODUCTION = """Every field of every file that has a schema, made from the records that the files
are checked against, by `essay-scoring export schemas`. What each file is for stands in
[artifacts.md](../artifacts.md). Numbers are plain JSON numbers: NaN and infinity never occur, and
null stands for what is undefined."""


def _json_schema(schema: Schema) -> dict[str, Any]:
    made = schema.record.model_json_schema(by_alias=True)
    return {**made, "title": schema.path}


def _table(record: Mapping[str, Any]) -> list[str]:
    """Return what a record is, and the table of its fields, if it has any."""
    said = [" ".join(record["description"].split())] if "description" in record else []
    rows = [
        [f"`{name}`", _type_of(field), _meaning(field)]
        for name, field in record.get("properties", {}).items()
    ]
    return [*said, markdown_table(_HEADER, rows)] if rows else [*said, _type_of(record)]


def _meaning(field: Mapping[str, Any]) -> str:
    """Return a field's description, its bounds and its default, as far as it has them."""
    parts = [field, *field.get("anyOf", ())]
    bounds = (f"{word} {part[key]}" for part in parts for key, word in _BOUNDS if key in part)
    default = field.get("default", _NONE)
    plain = default is not _NONE and not isinstance(default, dict)
    told = f"default `{json.dumps(default)}`" if plain else ""
    return "; ".join(filter(None, (field.get("description", ""), " ".join(bounds), told)))


_NONE = object()
_BOUNDS = (
    ("minimum", "from"),
    ("exclusiveMinimum", "above"),
    ("maximum", "to"),
    ("exclusiveMaximum", "below"),
)


def _type_of(field: Mapping[str, Any]) -> str:
    """Return a JSON schema's type in words, with links to records."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_type_of(one) for one in field[key]))
    if "enum" in field or "const" in field:
        values = field.get("enum", [field.get("const")])
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    return _plain_type(field)


def _plain_type(field: Mapping[str, Any]) -> str:
    """Return the words for a type that is no record and no choice."""
    kind = field.get("type", "anything")
    if kind == "array":
        inner = field.get("items") or (field.get("prefixItems") or [{}])[0]
        return f"list of {_type_of(inner)}"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"object of {_type_of(values)}" if isinstance(values, dict) and values else "object"
    if kind == "string" and str(field.get("pattern", "")).endswith("{64}$"):
        return "sha256"
    return str(kind)
