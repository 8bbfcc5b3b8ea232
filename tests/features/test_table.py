from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essay_scoring.core.contracts import Columns, JsonObject
from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.progress import Progress
from essay_scoring.features.blocks import build_blocks
from essay_scoring.features.feature_settings import EncoderSettings, FeatureSettings
from essay_scoring.features.linguistic import COMPANIONS, HANDCRAFTED
from essay_scoring.features.store import FeatureStore
from essay_scoring.features.table import FeatureTable, standardised_by_prompt
from tests.features.tiny_encoders import WORDS, encoder_settings, make_encoder

N_EMBEDDED = 384
DROP3 = ("has_conclusion", "clause_count", "flesch_kincaid")


class FixedBlock:
    """Gives column k of an essay as the length of its text plus k, and counts its calls."""

    def __init__(self, name: str, column_names: Sequence[str]) -> None:
        self.name, self.column_names = name, tuple(column_names)
        self.feature_set = "embeddings" if name == "embeddings" else "handcrafted"
        self.identity: JsonObject = {"version": 1}
        self.reads_prompt = False
        self.calls = 0

    def columns(self, essays: Essays) -> Columns:
        self.calls += 1
        lengths = np.array([len(text) for text in essays.texts], dtype=np.float32)
        steps = np.arange(len(self.column_names), dtype=np.float32)
        return Columns(self.column_names, lengths[:, None] + steps)


def made_essays(*rows: tuple[str, str]) -> Essays:
    texts, prompts = zip(*rows, strict=True)
    return Essays(tuple(f"id{i}" for i in range(len(rows))), texts, prompts)


ESSAYS = made_essays(("a", "p"), ("bb", "p"), ("ccc", "q"), ("dddd", "q"))


@pytest.fixture
def blocks() -> list[FixedBlock]:
    """The contract's columns from three blocks, deliberately out of order."""
    return [
        FixedBlock("embeddings", ("emb_000", "emb_001")),
        FixedBlock("one", (*COMPANIONS[::-1], *HANDCRAFTED[10:])),
        FixedBlock("two", HANDCRAFTED[:10]),
    ]


def table_of(tmp_path: Path, blocks: Sequence[FixedBlock], **settings: object) -> FeatureTable:
    chosen = FeatureSettings.model_validate(settings)
    return FeatureTable(chosen, FeatureStore(tmp_path), tmp_path, Progress(), blocks)


def test_columns_come_in_contract_order(tmp_path: Path, blocks: list[FixedBlock]) -> None:
    table = table_of(tmp_path, blocks, sets=("embeddings", "companions", "handcrafted"))
    assert table.names == (*HANDCRAFTED, *COMPANIONS, "emb_000", "emb_001")
    columns = table(ESSAYS)
    assert columns.names == table.names
    # Position k of its block is the text's length plus k, wherever it stands in the table.
    lengths = np.array([1, 2, 3, 4], dtype=np.float32)
    at = columns.names.index(HANDCRAFTED[10])
    np.testing.assert_array_equal(columns.values[:, at], lengths + len(COMPANIONS))
    np.testing.assert_array_equal(columns.values[:, -1], lengths + 1)


def test_drop3_leaves_exactly_those_out(tmp_path: Path, blocks: list[FixedBlock]) -> None:
    table = table_of(tmp_path, blocks, sets=("handcrafted",), drop=DROP3)
    assert table.names == tuple(name for name in HANDCRAFTED if name not in DROP3)
    assert len(table.names) == 22


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("flesch_kinkaid", "did you mean flesch_kincaid"),
        ("emb_000", "no column of handcrafted"),
        (COMPANIONS[0], "no column of handcrafted"),
    ],
)
def test_a_dropped_name_that_is_no_column_is_an_input_error(
    tmp_path: Path, blocks: list[FixedBlock], drop: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        table_of(tmp_path, blocks, sets=("handcrafted",), drop=(drop,))


def test_dropping_everything_is_an_input_error(tmp_path: Path, blocks: list[FixedBlock]) -> None:
    with pytest.raises(InputError, match="no feature column is left"):
        table_of(tmp_path, blocks, sets=("embeddings",), drop=("emb_000", "emb_001"))


def test_two_blocks_with_one_column_are_a_mistake(tmp_path: Path) -> None:
    twice = [FixedBlock("one", HANDCRAFTED), FixedBlock("two", HANDCRAFTED[:1])]
    with pytest.raises(ValueError, match="both one and two supply"):
        table_of(tmp_path, twice, sets=("handcrafted",))


def test_a_block_with_no_column_left_is_never_asked(
    tmp_path: Path, blocks: list[FixedBlock]
) -> None:
    table = table_of(tmp_path, blocks, sets=("handcrafted",), drop=HANDCRAFTED[:10])
    table(ESSAYS)
    assert [block.calls for block in blocks] == [0, 1, 0]
    assert list(table.identities()) == ["one"]


def test_identities_name_each_block_and_its_fingerprint(
    tmp_path: Path, blocks: list[FixedBlock]
) -> None:
    identities = table_of(tmp_path, blocks, sets=("embeddings",)).identities()
    digest = fingerprint({"version": 1})
    assert identities == {"embeddings": {"fingerprint": digest, "identity": {"version": 1}}}


def test_a_warm_table_serves_any_part_from_memory(tmp_path: Path, blocks: list[FixedBlock]) -> None:
    table = table_of(tmp_path, blocks)
    table.warm(ESSAYS)
    whole = table(ESSAYS).values
    for rows in ([2, 0], [3, 3], []):
        np.testing.assert_array_equal(table(ESSAYS.take(rows)).values, whole[rows])
    table.warm(ESSAYS)
    assert [block.calls for block in blocks] == [1, 1, 1]


def test_new_essays_are_computed_through_the_store(
    tmp_path: Path, blocks: list[FixedBlock]
) -> None:
    table = table_of(tmp_path, blocks, sets=("embeddings",))
    table.warm(ESSAYS)
    mixed = made_essays(("ccc", "q"), ("a whole new text", "q"), ("ccc", "another prompt"))
    np.testing.assert_array_equal(table(mixed).values[:, 0], [3, 16, 3])
    assert blocks[0].calls == 2
    # A second table, of another process perhaps, finds both in the store.
    again = table_of(tmp_path, blocks, sets=("embeddings",))
    again.warm(ESSAYS)
    np.testing.assert_array_equal(again(mixed).values, table(mixed).values)
    assert blocks[0].calls == 2


def test_standardising_is_labelled_transductive_and_stays_within_prompts(
    tmp_path: Path, blocks: list[FixedBlock]
) -> None:
    plain = table_of(tmp_path, blocks, sets=("embeddings",))
    table = table_of(tmp_path, blocks, sets=("embeddings",), standardise_by_prompt=True)
    assert (plain.transductive, table.transductive) == (False, True)
    # Prompt p has lengths 1 and 2, prompt q 3 and 4: in both, mean -+ one deviation (0.5).
    np.testing.assert_allclose(table(ESSAYS).values, [[-1, -1], [1, 1], [-1, -1], [1, 1]])
    # Alone in the call an essay has no spread to be measured by.
    np.testing.assert_allclose(table(ESSAYS.take([0, 2, 3])).values, [[0, 0], [-1, -1], [1, 1]])


def test_standardised_values_by_hand() -> None:
    # Prompt p: 1, 2, 6: mean 3, deviation sqrt((4 + 1 + 9) / 3) = sqrt(14 / 3). Prompt q is flat.
    values = np.array([[1, 0.1], [7, 0.1], [2, np.nan], [6, 0.1], [7, np.nan]], dtype=np.float32)
    out = standardised_by_prompt(values, ["p", "q", "p", "p", "q"])
    root = np.sqrt(14 / 3)
    np.testing.assert_allclose(out[:, 0], [-2 / root, 0, -1 / root, 3 / root, 0], rtol=1e-6)
    np.testing.assert_array_equal(out[:, 1], [0, 0, np.nan, 0, np.nan])
    assert standardised_by_prompt(np.zeros((0, 2), np.float32), []).shape == (0, 2)


@given(st.lists(st.tuples(st.floats(-100, 100, width=32), st.sampled_from("pqr")), min_size=1))
def test_standardised_columns_have_no_mean_and_unit_spread(rows: list[tuple[float, str]]) -> None:
    values = np.array([[value] for value, _ in rows], dtype=np.float32)
    prompts = np.array([prompt for _, prompt in rows])
    out = standardised_by_prompt(values, prompts.tolist()).astype(np.float64)
    for prompt in set(prompts):
        part = out[prompts == prompt]
        assert abs(part.mean()) < 1e-3
        assert part.std() == pytest.approx(1, abs=1e-3) or not part.any()


def test_the_real_blocks_supply_every_contract_column(tmp_path: Path) -> None:
    settings = FeatureSettings(sets=("handcrafted", "companions", "embeddings"))
    table = FeatureTable(settings, FeatureStore(tmp_path), tmp_path, Progress())
    embedded = tuple(f"emb_{i:03d}" for i in range(N_EMBEDDED))
    assert table.names == (*HANDCRAFTED, *COMPANIONS, *embedded)
    assert len(HANDCRAFTED) == 25


def test_only_the_blocks_of_the_sets_are_built(tmp_path: Path) -> None:
    def names(*sets: str) -> list[str]:
        settings = FeatureSettings.model_validate({"sets": sets})
        return [block.name for block in build_blocks(settings, tmp_path)]

    assert names("embeddings") == ["embeddings"]
    assert names("companions") == ["linguistic", "language_errors", "similarity"]


def test_embeddings_alone_import_no_language_package(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from essay_scoring.core.progress import Progress\n"
        "from essay_scoring.features.feature_settings import FeatureSettings\n"
        "from essay_scoring.features.store import FeatureStore\n"
        "from essay_scoring.features.table import FeatureTable\n"
        "root = Path(sys.argv[1]); settings = FeatureSettings(sets=('embeddings',))\n"
        "FeatureTable(settings, FeatureStore(root), root, Progress()).identities()\n"
        "assert not {'spacy', 'lt_py', 'sklearn', 'pandas'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_encoder_means_another_folder_of_the_store(tmp_path: Path) -> None:
    rows = [(word, "p") for word in WORDS[:3]]
    read = []
    for seed in (0, 1):
        # The same path each time, as when an encoder is replaced in place.
        folder = make_encoder(tmp_path / "encoder", seed=seed)
        encoder: EncoderSettings = encoder_settings(folder)
        settings = FeatureSettings(sets=("embeddings",), encoder=encoder)
        store = FeatureStore(tmp_path / "store")
        read.append(FeatureTable(settings, store, tmp_path, Progress())(made_essays(*rows)).values)
    assert len(list((tmp_path / "store" / "embeddings").iterdir())) == 2
    assert np.abs(read[0] - read[1]).max() > 0.01
