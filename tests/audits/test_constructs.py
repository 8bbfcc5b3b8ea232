from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from essay_scoring.audits.constructs import (
    CONSTRUCTS,
    EMBEDDINGS,
    MADE_ELSEWHERE,
    construct_of,
    positions_by_construct,
)
from essay_scoring.features.blocks import build_blocks
from essay_scoring.features.feature_settings import FEATURE_SETS, FeatureSettings
from essay_scoring.features.linguistic import COMPANIONS, HANDCRAFTED


def real_columns(folder: Path) -> list[str]:
    """Return every column of the blocks of every feature set made here, encoder and all."""
    sets = tuple(name for name in FEATURE_SETS if name != "imported")
    settings = FeatureSettings(sets=sets)
    return [name for block in build_blocks(settings, folder) for name in block.column_names]


def test_every_column_of_every_block_has_one_construct(tmp_path: Path) -> None:
    columns = real_columns(tmp_path)
    assert set(HANDCRAFTED) | set(COMPANIONS) < set(columns)
    groups = positions_by_construct(columns)
    assert list(groups) == [name for name in CONSTRUCTS if name != MADE_ELSEWHERE]
    assert sorted(place for at in groups.values() for place in at) == list(range(len(columns)))
    # The embedded encoder is 384 wide.
    assert len(groups[EMBEDDINGS]) == 384


def test_no_construct_names_a_column_twice_or_one_that_is_none(tmp_path: Path) -> None:
    named = Counter(name for columns in CONSTRUCTS.values() for name in columns)
    assert max(named.values()) == 1
    assert set(named) == {name for name in real_columns(tmp_path) if not name.startswith("emb_")}


def test_side_by_side_layers_are_embeddings_too() -> None:
    assert construct_of("emb_1151") == EMBEDDINGS


@pytest.mark.parametrize("column", ["emb_", "emb_1", "words", "xemb_001", "emb_001x"])
def test_an_unknown_column_was_made_elsewhere(column: str) -> None:
    assert construct_of(column) == MADE_ELSEWHERE
