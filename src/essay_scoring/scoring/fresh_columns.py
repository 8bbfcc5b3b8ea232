"""Feature columns of essays that are seen once: computed, used, and kept nowhere."""

from __future__ import annotations

from pathlib import Path

from essay_scoring.core.contracts import Columns, FeatureBlock
from essay_scoring.core.essays import Essays
from essay_scoring.core.progress import Progress
from essay_scoring.features.blocks import build_blocks
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.features.precision import device_in_use
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable

_TOKENS_OF_ONE_ESSAY = 384
"""Of a forward pass on a CPU: in small ones short sentences are not padded to the longest of all.

An essay's sentences took 114 ms at 2048 tokens, 74 ms at 384.
"""


class FreshColumns:
    """A `ColumnSource` that keeps no essay but the last ones asked for.

    Members of an ensemble ask for the same essays in turn, and flags ask for them once more.
    """

    def __init__(self, settings: FeatureSettings, encoders: Path) -> None:
        self._settings, self._encoders = settings, encoders
        tokens = _TOKENS_OF_ONE_ESSAY if device_in_use() == "cpu" else None
        self._blocks = build_blocks(settings, encoders, tokens)
        self._last: tuple[Essays, Columns] | None = None

    def identities(self) -> dict[str, object]:
        """Return each block in use with its identity, as a run's provenance records it."""
        return self._table().identities()

    def __call__(self, essays: Essays) -> Columns:
        """Return one row per essay."""
        if self._last is None or not _same(self._last[0], essays):
            self._last = essays, self._table()(essays)
        return self._last[1]

    def _table(self) -> FeatureTable:
        """Return a table that remembers nothing; the blocks, with their encoders, stay."""
        return FeatureTable(self._settings, _NoStore(), self._encoders, Progress(), self._blocks)


class _NoStore(FeatureStore):
    """A store that stores nothing."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))

    def columns(self, block: FeatureBlock, essays: Essays, progress: Progress) -> Columns:  # noqa: ARG002
        """Return the block's columns, computed now."""
        return block.columns(essays)


def _same(one: Essays, other: Essays) -> bool:
    return one.texts == other.texts and one.prompts == other.prompts
