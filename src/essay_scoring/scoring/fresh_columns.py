"""Feature columns of new essays: kept as numbers by the store, and in memory for one call alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from essay_scoring.core.contracts import Columns, FeatureBlock, JsonObject
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable
from essay_scoring.records.workspace import Workspace


class FreshColumns:
    """A `ColumnSource` that remembers no essays but the last ones that it was warmed with.

    Members of an ensemble ask for the same essays in turn, and flags ask for them once more. The
    store of `cache` is read and added to where there is such a folder.
    """

    def __init__(self, settings: FeatureSettings, cache: Path) -> None:
        space = Workspace(runs=cache, cache=cache, data=cache)
        store = FeatureStore(space.features) if cache.is_dir() else _NoStore(space.features)
        self._table = FeatureTable(settings, store, space.encoders, Progress())

    def identities(self) -> JsonObject:
        """Return each block in use with its identity, as a run's provenance records it."""
        return self._table.identities()

    def ask(self, prompt_texts: Mapping[str, str]) -> None:
        """Compare essays with what more prompts asked, by their names."""
        self._table.ask(prompt_texts)

    def warm(self, essays: Essays) -> None:
        """Compute or load the columns of these essays together, and forget all others."""
        self._table.forget()
        self._table.warm(essays)

    def __call__(self, essays: Essays) -> Columns:
        """Return one row per essay."""
        if not self._table.knows(essays):
            self.warm(essays)
        return self._table(essays)


class _NoStore(FeatureStore):
    """A store that stores nothing."""

    def columns(self, block: FeatureBlock, essays: Essays, progress: Progress) -> Columns:  # noqa: ARG002
        """Return the block's columns, computed now."""
        return block.columns(essays)
