"""Where runs and caches lie. None of it changes a number, so none of it is part of a RunConfig."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOCKED_LEDGER = "locked_test_ledger.jsonl"


@dataclass(frozen=True)
class Workspace:
    """The folders a command works in: `runs` for results, `cache` for all that can be remade.

    `ledgers` is where openings of locked tests are recorded: beside the `data` unless named.
    """

    runs: Path
    cache: Path
    data: Path
    ledgers: Path | None = None

    @property
    def prepared(self) -> Path:
        """Prepared corpora. They hold essay text."""
        return self.cache / "prepared"

    @property
    def features(self) -> Path:
        """The feature store."""
        return self.cache / "features"

    @property
    def encoders(self) -> Path:
        """Encoders that were fetched."""
        return self.cache / "encoders"

    @property
    def ledger(self) -> Path:
        """The record of every opening of a locked test."""
        return (self.ledgers or self.data) / LOCKED_LEDGER

    @property
    def register(self) -> Path:
        """The record of gate plans, each written down before its candidates ran."""
        return self.runs / "plan_register.jsonl"

    @property
    def attempts(self) -> Path:
        """The record of runs that failed or were no valid evidence, kept and refused for ever."""
        return self.runs / "attempts.jsonl"
