"""The shape of what an audit finds: one record for JSON, the report and the model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["pass", "fail", "info"]
Cell = str | int | float | None


@dataclass(frozen=True)
class Figure:
    """One number with its 95% interval and n; `limit` is what its size must not exceed.

    With `at_least` the limit is what the number itself must reach. `estimate` None means that the
    data at hand cannot give it; `low` and `high` None that no interval is known.
    """

    name: str
    group: str
    estimate: float | None
    n: int
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    passes: bool | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Table:
    """A table of details; a row has one cell a column."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Section:
    """One question put to a run: the finding in one sentence, then what it rests on."""

    name: str
    title: str
    finding: str
    verdict: Verdict = "info"
    figures: Sequence[Figure] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)

    def record(self) -> dict[str, Any]:
        """Return the section for JSON."""
        return asdict(self)
