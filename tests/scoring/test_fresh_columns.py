from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.contracts import Columns
from essay_scoring.core.essays import Essays
from essay_scoring.features.embeddings import EmbeddingBlock
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.scoring.fresh_columns import FreshColumns
from tests.features.tiny_encoders import WORDS, encoder_settings, make_encoder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of all essays that an encoder reads, as they are read."""
    ids: list[str] = []
    columns = EmbeddingBlock.columns

    def counted(block: EmbeddingBlock, essays: Essays) -> Columns:
        ids.extend(essays.ids)
        return columns(block, essays)

    monkeypatch.setattr(EmbeddingBlock, "columns", counted)
    return ids


def test_columns_of_new_essays_are_kept_by_hash_where_there_is_a_cache_folder(
    tmp_path: Path, read: list[str]
) -> None:
    encoder = encoder_settings(make_encoder(tmp_path / "encoder"))
    settings = FeatureSettings(sets=("embeddings",), encoder=encoder)
    texts = tuple(f"the school rule is good {word} " * 4 for word in WORDS)
    essays = Essays(tuple(f"id{at}" for at in range(11)), texts, ("p",) * 11)
    home = tmp_path / "home"
    (home / "cache").mkdir(parents=True)
    first = FreshColumns(settings, home / "cache")(essays.take(range(10))).values
    assert len(read) == 10
    later = FreshColumns(settings, home / "cache")
    later.warm(essays.take(range(10, -1, -1)))
    assert read[10:] == ["id10"]
    one_by_one = [later(essays.take([row])).values.tobytes() for row in range(10)]
    assert one_by_one == [row.tobytes() for row in first]
    assert len(read) == 11
    nowhere = FreshColumns(settings, home / "absent")(essays).values
    assert nowhere[:10].tobytes() == first.tobytes()
    assert len(read) == 22
    assert [path.name for path in home.iterdir()] == ["cache"]
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert kept
    assert b"school" not in kept
