from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.essays import Essays
from essay_scoring.features.chunking import TokenisedEssay, tokenise
from essay_scoring.features.encoders import EncoderFolder
from tests.models.transformer.architectures import (
    some_essays,
    tokenised,
    transformer_settings,
)


def same(some: list[TokenisedEssay], others: list[TokenisedEssay]) -> bool:
    return all(
        a.key == b.key
        and len(a.ids) == len(b.ids)
        and all(np.array_equal(x, y) for x, y in zip(a.ids, b.ids, strict=True))
        and all(np.array_equal(x, y) for x, y in zip(a.counted, b.counted, strict=True))
        for a, b in zip(some, others, strict=True)
    )


def test_no_token_of_an_essay_is_lost_and_none_counts_twice(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    settings, essays = transformer_settings(encoder), some_essays()
    tokenizer = AutoTokenizer.from_pretrained(encoder.path)
    for text, essay in zip(
        essays.texts, tokenise(essays.texts, encoder, settings.encoder, tmp_path), strict=True
    ):
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        pairs = zip(essay.ids, essay.counted, strict=True)
        assert [int(i) for ids, counted in pairs for i in ids[counted == 1]] == whole
        assert len(essay.ids) > 1
        assert max(map(len, essay.ids)) == 24
        assert essay.tokens == sum(len(ids) for ids in essay.ids)


def test_essays_come_back_from_disk_as_they_were_cut(
    encoder: EncoderFolder, tmp_path: Path
) -> None:
    settings, essays = transformer_settings(encoder), some_essays()
    first = tokenise(essays.texts, encoder, settings.encoder, tmp_path)
    assert same(first, tokenised(encoder, settings))
    assert same(first, tokenise(essays.texts, encoder, settings.encoder, tmp_path))


def test_a_text_is_cut_once_whatever_fold_asks(
    bert: EncoderFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, essays = transformer_settings(bert), some_essays()
    all_of_them = tokenise(essays.texts, bert, settings.encoder, tmp_path)
    # A tokenizer is not even loaded for texts that were cut before.
    monkeypatch.setattr(
        "essay_scoring.features.chunking.load_tokenizer", lambda _: pytest.fail("it was")
    )
    some = tokenise(essays.take([2, 0]).texts, bert, settings.encoder, tmp_path)
    assert same(some, [all_of_them[2], all_of_them[0]])


def test_equal_texts_are_one_object_and_an_empty_one_has_a_chunk(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    essays = Essays(("a", "b", "c"), ("", "school", ""), ("p", "p", "q"))
    empty, school, again = tokenise(
        essays.texts, bert, transformer_settings(bert).encoder, tmp_path
    )
    assert empty is again
    assert [len(ids) for ids in empty.ids] == [2]
    assert not empty.counted[0].any()
    assert school.counted[0].sum() >= 1


def test_other_lengths_are_other_chunks(bert: EncoderFolder, tmp_path: Path) -> None:
    essays = some_essays()
    tokenise(essays.texts, bert, transformer_settings(bert).encoder, tmp_path)
    for changes in ({"max_length": 30}, {"chunk_overlap_tokens": 3}):
        settings = transformer_settings(bert, **changes)
        assert same(
            tokenise(essays.texts, bert, settings.encoder, tmp_path), tokenised(bert, settings)
        )


def test_damaged_chunks_are_cut_again(bert: EncoderFolder, tmp_path: Path) -> None:
    settings, essays = transformer_settings(bert), some_essays()
    expected = tokenise(essays.texts, bert, settings.encoder, tmp_path)
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-4] + b"\x01\x02\x03\x04")
    assert same(tokenise(essays.texts, bert, settings.encoder, tmp_path), expected)


def test_no_essays_make_no_files(bert: EncoderFolder, tmp_path: Path) -> None:
    nobody = Essays((), (), ())
    assert tokenise(nobody.texts, bert, transformer_settings(bert).encoder, tmp_path) == []
    assert not list(tmp_path.rglob("*.safetensors"))
