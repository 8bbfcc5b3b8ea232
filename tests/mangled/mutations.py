"""Ways in which a file comes to be other than it was written."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Iterator
from typing import Any

_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    -1e308,
    "",
    "x",
    "../../x",
    "a\0b",
    "\x1b[31m",
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": {"b": [1]}},
    [1, "x", None],
)
_TOML_VALUES = (
    "-1",
    "1e308",
    "nan",
    "9" * 5000,
    "[1, 2]",
    '"../../x"',
    '"\\u0000"',
    '"\\u001b[31m"',
    "true",
    "{a = 1}",
    "[" * 3000 + "]" * 3000,
    "2020-01-01",
    '""',
    '"/dev/zero"',
    "=",
)
_CELLS = ("", "nan", "1e308", "-1", "x\x1b[31m", "=1+1", '"', "9" * 5000, "\x00", "x" * 70_000)


def mutated(name: str, data: bytes, rng: random.Random) -> bytes:
    """Return other bytes for a file of this name: damaged, or well-formed and wrong."""
    ways = [_bytes]
    if name.endswith((".json", ".jsonl", ".head", ".log")):
        ways += [_json] * 4
    elif name.endswith(".toml"):
        ways += [_toml] * 4
    elif name.endswith((".csv", ".tsv")):
        ways += [_table] * 4
    return rng.choice(ways)(data, rng)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    """Return data that is cut, overwritten, or something else altogether."""
    at = rng.randrange(len(data)) if data else 0
    some = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f", b"[", b"\xc3", rng.randbytes(8)])
    return rng.choice(
        [
            data[:at],
            data[:at] + some + data[at + len(some) :],
            data[:at] + some + data[at:],
            data[:at] + data[at + 1 + rng.randrange(50) :],
            b"",
            b"\0" * 64,
            b"[" * 100_000,
            data + data,
        ]
    )


def _json(data: bytes, rng: random.Random) -> bytes:
    """Return JSON (or one line of JSONL) with one value that is another, absent, or new."""
    lines = data.split(b"\n")
    number = rng.randrange(len(lines)) if _is_json(lines[0]) else None
    try:
        value = json.loads(data if number is None else lines[number])
    except ValueError:
        return _bytes(data, rng)
    places = list(_places(value))
    if not places:
        return json.dumps(rng.choice(_VALUES)).encode()
    holder, key = rng.choice(places)
    way = rng.randrange(6)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder["unknown"] = rng.choice(_VALUES)
    elif way == 1:
        holder.append(rng.choice(_VALUES))
    else:
        holder[key] = rng.choice(_VALUES)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    if way == 2:
        text = re.sub(r"\d+\.\d+", "NaN", text, count=1)
    if number is None:
        return text.encode()
    return b"\n".join([*lines[:number], text.encode(), *lines[number + 1 :]])


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield value, key
            yield from _places(value[key])


def _toml(data: bytes, rng: random.Random) -> bytes:
    """Return TOML with one value that is another, or one line that is absent or there twice."""
    lines = data.decode().splitlines()
    at = rng.choice([n for n, line in enumerate(lines) if line.strip() and line[0] != "#"])
    key, equals, _ = lines[at].partition("=")
    if equals and rng.random() < 0.8:
        lines[at] = f"{key}= {rng.choice(_TOML_VALUES)}"
    else:
        lines[at : at + 1] = rng.choice([[], [lines[at]] * 2, [f"extends = {rng.choice('12')}"]])
    return "\n".join(lines).encode()


def _table(data: bytes, rng: random.Random) -> bytes:
    """Return a table with one cell that is another, or that is absent or too many."""
    text = data.decode()
    comma = "\t" if "\t" in text.splitlines()[0] else ","
    rows = list(csv.reader(io.StringIO(text), delimiter=comma))
    row = rng.choice([row for row in rows if row] or [[""]])
    at = rng.randrange(len(row))
    row[at : at + 1] = rng.choice([[], [rng.choice(_CELLS)], ["a", "b"], [row[at - 1]]])
    out = io.StringIO()
    csv.writer(out, delimiter=comma, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
