from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import write_json
from essay_scoring.features.chunking import batches_by_length, chunk_texts, load_tokenizer
from essay_scoring.features.encoders import resolve_encoder
from essay_scoring.features.feature_settings import EncoderSettings
from essay_scoring.features.plain_tokenizer import PlainTokenizer, plain_tokenizer
from tests.features.tiny_encoders import WORDS, make_encoder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(make_encoder(tmp_path_factory.mktemp("encoder")).path)


texts = st.lists(st.sampled_from([*WORDS, "schoolwork", "Zq!", "\n", "[SEP]"]), max_size=90).map(
    " ".join
)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, max_size=4), st.integers(4, 32), st.data())
def test_every_token_of_every_text_is_counted_exactly_once(
    tokenizer: Any, several: list[str], max_length: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, max_length - 3))
    essays = chunk_texts(tokenizer, several, max_length=max_length, overlap=overlap)
    for number, text in enumerate(several):
        mine = list(zip(essays[number].ids, essays[number].counted, strict=True))
        assert all(len(ids) <= max_length for ids, _ in mine)
        counted = [int(i) for ids, counts in mine for i in ids[counts == 1]]
        # The whole text in one piece, without the encoder's own special tokens.
        whole = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert counted == whole


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(texts, st.text(max_size=200)), max_size=4),
    st.integers(4, 64),
    st.data(),
)
def test_the_embedded_encoder_s_tokens_are_those_of_transformers(
    pair: tuple[Any, Any], several: list[str], max_length: int, data: st.DataObject
) -> None:
    plain, theirs = pair
    overlap = data.draw(st.integers(0, max_length - 3))
    ours, expected = (
        chunk_texts(tokenizer, several, max_length=max_length, overlap=overlap)
        for tokenizer in (plain, theirs)
    )
    for one, other in zip(ours, expected, strict=True):
        assert [ids.tolist() for ids in one.ids] == [ids.tolist() for ids in other.ids]
        assert [c.tolist() for c in one.counted] == [c.tolist() for c in other.counted]


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """The embedded encoder's tokenizer as it is read here, and as transformers reads it."""
    from transformers import AutoTokenizer

    folder = resolve_encoder(EncoderSettings(), Path("cache")).path
    plain = load_tokenizer(folder)
    assert isinstance(plain, PlainTokenizer)
    theirs = AutoTokenizer.from_pretrained(folder, use_fast=True)
    assert plain.num_special_tokens_to_add() == theirs.num_special_tokens_to_add()
    return plain, theirs


def test_a_tokenizer_that_transformers_may_change_is_left_to_it(tmp_path: Path) -> None:
    folder = resolve_encoder(EncoderSettings(), Path("cache")).path
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert plain_tokenizer(tmp_path) is not None
    told = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
    for change in ({"do_lower_case": False}, {"tokenizer_class": "Other"}):
        write_json(tmp_path / "tokenizer_config.json", told | change)
        assert plain_tokenizer(tmp_path) is None


def test_the_overlap_is_shared_between_neighbours(tokenizer: Any) -> None:
    # 12 tokens, 8 of them to a chunk (10 less [CLS] and [SEP]), 5 shared: chunks start at tokens
    # 0, 3 and 6. Of the 5 shared ones 5 // 2 = 2 stay with the earlier chunk and 3 go to the later.
    (essay,) = chunk_texts(tokenizer, [" ".join(["good"] * 12)], max_length=10, overlap=5)
    assert [counted[1:-1].astype(int).tolist() for counted in essay.counted] == [
        [1, 1, 1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1],
    ]
    assert all(counted[0] == counted[-1] == 0 for counted in essay.counted)


def test_special_tokens_count_when_asked_for(tokenizer: Any) -> None:
    (essay,) = chunk_texts(tokenizer, ["good work"], max_length=10, overlap=0, count_special=True)
    assert essay.counted[0].tolist() == [1, 1, 1, 1]


def test_an_essay_cannot_write_special_tokens(tokenizer: Any) -> None:
    (essay,) = chunk_texts(tokenizer, ["good [SEP] work"], max_length=16, overlap=0)
    assert essay.ids[0].tolist().count(tokenizer.sep_token_id) == 1


def test_a_tokenizer_that_cuts_from_the_left_is_turned_round(tmp_path: Any) -> None:
    folder = make_encoder(tmp_path).path
    config = folder / "tokenizer_config.json"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("{", '{"truncation_side": "left",', 1), encoding="utf-8")
    (essay,) = chunk_texts(load_tokenizer(folder), ["good bad all for"], max_length=4, overlap=0)
    good, bad, everyone, purpose = (WORDS.index(word) + 5 for word in ("good", "bad", "all", "for"))
    assert [ids[1:-1].tolist() for ids in essay.ids] == [[good, bad], [everyone, purpose]]


def test_a_folder_without_a_tokenizer_is_an_input_error(tmp_path: Any) -> None:
    folder = make_encoder(tmp_path).path
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        load_tokenizer(folder)


def test_no_texts_give_no_chunks(tokenizer: Any) -> None:
    assert chunk_texts(tokenizer, [], max_length=8, overlap=2) == []


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_batches_cover_all_within_the_budget_longest_first(lengths: list[int], budget: int) -> None:
    batches = batches_by_length(lengths, budget)
    flat = [position for batch in batches for position in batch]
    assert sorted(flat) == list(range(len(lengths)))
    in_order = [lengths[position] for position in flat]
    assert in_order == sorted(in_order, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= budget
