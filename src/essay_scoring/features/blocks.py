"""The blocks of the feature sets that settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from essay_scoring.core.contracts import FeatureBlock
from essay_scoring.core.names import resolve_name
from essay_scoring.features.feature_settings import FEATURE_SETS, FeatureSettings


class BlockFactory(Protocol):
    """What a class of blocks is made by."""

    def of(self, settings: FeatureSettings, cache: Path) -> FeatureBlock | tuple[FeatureBlock, ...]:
        """Return the block, or blocks, that settings ask for; encoders lie in `cache`."""


def build_blocks(settings: FeatureSettings, cache: Path) -> tuple[FeatureBlock, ...]:
    """Return the blocks of the settings' sets, in the order of FEATURE_SETS.

    A set that is not asked for costs nothing: its block is not built and its packages not imported.
    """
    wanted = dict.fromkeys(
        name for group, names in FEATURE_SETS.items() if group in settings.sets for name in names
    )
    factories: list[BlockFactory] = [resolve_name(name) for name in wanted]
    made = [factory.of(settings, cache) for factory in factories]
    return tuple(block for each in made for block in (each if isinstance(each, tuple) else (each,)))
