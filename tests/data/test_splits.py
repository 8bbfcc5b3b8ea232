from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.progress import Progress
from essay_scoring.core.text import text_hash
from essay_scoring.data.data_settings import DataSettings, SplitSettings, SyntheticCorpus
from essay_scoring.data.preparation import PreparedData, prepare
from essay_scoring.data.splits import (
    SCHEMES,
    Splits,
    draw_splits,
    groups_of,
    make_splits,
    read_splits,
)
from essay_scoring.data.synthetic import generate
from tests.data.corpus_files import made_rows, table_settings, write_csv
from tests.data.essay_strategies import scored, scored_essays

THREE = SplitSettings(n_splits=3)


def _drawn(train: ScoredEssays) -> Splits:
    """Return three folds, leaving out draws that have too few groups for them."""
    assume(len(set(groups_of(train, "prompt_holdout"))) >= 3)
    try:
        return make_splits(train, THREE, "data")
    except InputError as error:
        assume("came out empty" not in str(error))
        raise


@given(scored_essays())
@settings(max_examples=40, deadline=None)
def test_folds_are_disjoint_and_cover_and_divide_no_prompt_and_no_text(
    train: ScoredEssays,
) -> None:
    splits = _drawn(train)
    texts = dict(zip(train.essays.ids, map(text_hash, train.essays.texts), strict=True))
    prompts = dict(zip(train.essays.ids, train.prompts, strict=True))
    for scheme in SCHEMES:
        held_out = [fold.held_out_ids for fold in splits.folds(scheme)]
        assert sorted(i for ids in held_out for i in ids) == sorted(train.essays.ids)
        assert all(held_out)
        _assert_disjoint([{texts[i] for i in ids} for ids in held_out])
        if scheme == "prompt_holdout":
            named = [set(fold.val_groups) for fold in splits.folds(scheme)]
            _assert_disjoint(named)
            assert named == [{prompts[i] for i in ids} for ids in held_out]


def _assert_disjoint(sets: list[set[str]]) -> None:
    assert sum(map(len, sets)) == len(set().union(*sets))


@given(scored_essays(), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_hash_of_splits_follows_their_content(train: ScoredEssays, random: Any) -> None:
    splits = _drawn(train)
    assert make_splits(train, THREE, "data").sha256 == splits.sha256
    assert make_splits(train, THREE, "other data").sha256 != splits.sha256


def test_prompts_that_share_a_text_are_held_out_together() -> None:
    prompts = ["a", "a", "b", "b", "c", "c", "d", "d"]
    texts = ["one", "two", "THREE", "four", "five", " THREE ", "six", "seven"]
    train = scored(texts, prompts, [1, 2, 1, 2, 1, 2, 1, 2])
    assert groups_of(train, "prompt_holdout") == ["a", "a", "b", "b", "b", "b", "d", "d"]
    folds = make_splits(train, THREE, "data").folds("prompt_holdout")
    assert {fold.val_groups for fold in folds} == {("a",), ("b", "c"), ("d",)}


def test_linked_prompts_may_leave_too_few_groups() -> None:
    texts = ["x", "y", "x", "z", "x", "u", "v", "w"]
    train = scored(texts, list("aabbccdd"), [1, 2] * 4)
    with pytest.raises(InputError, match="2 groups cannot fill 3 folds; prompts that share a text"):
        make_splits(train, THREE, "data")


def test_score_bands_smaller_than_the_folds_are_refused_in_one_line() -> None:
    train = scored([f"t{i}" for i in range(5)], list("abcde"), [1, 2, 3, 4, 5])
    with pytest.raises(InputError, match="no score band has as many as 3 essays"):
        make_splits(train, THREE, "data")


def test_a_fold_that_comes_out_empty_is_refused() -> None:
    # Four prompts for four folds, but the drawer balances bands, and puts two prompts in one fold.
    train = scored([f"t{i}" for i in range(10)], list("aaaabbbccd"), [3, 2, 1, 2, 3, 2, 2, 3, 1, 1])
    with pytest.raises(InputError, match=r"prompt_holdout: fold 2 of 4 came out empty"):
        make_splits(train, SplitSettings(n_splits=4), "data")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    corpus = SyntheticCorpus(n_essays=60, n_locked=10, n_prompts=5)
    made = DataSettings(corpus=corpus, splits=SplitSettings(n_splits=3))
    return prepare(made, Path(), tmp_path_factory.mktemp("cache"), Progress())


def test_the_prepared_splits_read_back(prepared: PreparedData) -> None:
    splits = read_splits(prepared.folder / "splits.json", prepared)
    assert splits == make_splits(prepared.train, THREE, prepared.data_sha256)
    assert [len(splits.folds(scheme)) for scheme in SCHEMES] == [3, 3]


def test_the_file_carries_the_contract(prepared: PreparedData) -> None:
    content = read_json(prepared.folder / "splits.json")
    assert content["schema_version"] == 1
    assert content["data_sha256"] == prepared.data_sha256
    assert len(content["locked_sha256"]) == 64
    assert content["exclude_prompts"] == []
    assert content["word_window"] == [200, 1000]
    assert content["counts"]["train"]["after_window"] == 60
    assert content["locked_ids"] == list(prepared.locked_ids)
    assert len(content["locked_ids"]) == 10
    assert (content["n_splits"], content["seed"]) == (3, 42)
    for scheme in SCHEMES:
        assert [fold["fold"] for fold in content[scheme]] == [0, 1, 2]


def test_folds_can_be_drawn_anew_with_another_seed(prepared: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    drawn = draw_splits(prepared, SplitSettings(n_splits=2, seed=5), path)
    assert read_splits(path, prepared) == drawn
    assert drawn.sha256 != read_splits(prepared.folder / "splits.json", prepared).sha256


def test_splits_of_other_data_are_refused(prepared: PreparedData, tmp_path: Path) -> None:
    corpus = SyntheticCorpus(n_essays=60, n_locked=10, n_prompts=5, seed=8)
    made = DataSettings(corpus=corpus, splits=SplitSettings(n_splits=3))
    other = prepare(made, Path(), tmp_path, Progress())
    with pytest.raises(InputError, match="drawn for other data"):
        read_splits(other.folder / "splits.json", prepared)


def _swap(content: Any) -> None:
    """Exchange the first essay of two folds of prompt_holdout, which divides two prompts."""
    first, second = content["prompt_holdout"][0], content["prompt_holdout"][1]
    a, b = first["held_out_ids"], second["held_out_ids"]
    a[0], b[0] = b[0], a[0]


def _move(content: Any) -> None:
    first, second = content["stratified_text"][0], content["stratified_text"][1]
    second["held_out_ids"].append(first["held_out_ids"].pop())


def _empty(content: Any) -> None:
    first, second = content["stratified_text"][0], content["stratified_text"][1]
    second["held_out_ids"] += first["held_out_ids"]
    first["held_out_ids"] = []


EDITS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "schema": (lambda c: c.update(schema_version=9), "schema version is 9"),
    "scheme gone": (lambda c: c.pop("prompt_holdout"), "cannot be read"),
    "folds of another shape": (lambda c: c.update(stratified_text=[1, 2]), "cannot be read"),
    "locked ids": (lambda c: c["locked_ids"].pop(), "locked_ids differ"),
    "essay missing": (
        lambda c: c["stratified_text"][0]["held_out_ids"].pop(),
        "stratified_text: the folds do not hold out essay 'train-",
    ),
    "essay twice": (
        lambda c: c["stratified_text"][0]["held_out_ids"].append(
            c["stratified_text"][1]["held_out_ids"][0]
        ),
        "exactly once",
    ),
    "essay unknown": (
        lambda c: c["prompt_holdout"][0]["held_out_ids"].append("nobody"),
        "prompt_holdout: the folds do not hold out essay 'nobody' exactly once",
    ),
    "prompt divided": (_swap, "is in two folds"),
    "prompts misnamed": (
        lambda c: c["prompt_holdout"][0]["val_groups"].append("Another"),
        "val_groups of fold 0",
    ),
    "fold emptied": (_empty, "a fold is empty"),
    "fold misnumbered": (lambda c: c["prompt_holdout"][0].update(fold=7), "not numbered 0, 1"),
    "essay moved": (_move, "changed after they were drawn"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_file_that_does_not_fit_is_refused(
    name: str, prepared: PreparedData, tmp_path: Path
) -> None:
    edit, expected = EDITS[name]
    content = read_json(prepared.folder / "splits.json")
    edit(content)
    write_json(tmp_path / "splits.json", content)
    with pytest.raises(InputError, match=r"splits\.json") as caught:
        read_splits(tmp_path / "splits.json", prepared)
    assert expected in str(caught.value)
    assert "make-splits" in str(caught.value)


def test_own_folds_are_read_from_a_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", made_rows())
    prepared = prepare(table_settings(), tmp_path, tmp_path / "out", Progress())
    train = prepared.train
    pairs = zip(train.essays.ids, train.prompts, strict=True)
    rows = [[essay, "6" if prompt in ("P0", "P3") else "5"] for essay, prompt in pairs]
    path = write_csv(tmp_path / "folds.csv", rows, ["id", "fold"])
    folds = read_splits(path, prepared, "prompt_holdout").folds("prompt_holdout")
    assert [fold.val_groups for fold in folds] == [("P1", "P2"), ("P0", "P3")]
    assert [fold.number for fold in folds] == [0, 1]
    rows[0][1] = "5"
    write_csv(path, rows, ["id", "fold"])
    with pytest.raises(
        InputError, match=r"the prompt of essay 'e[0-9]*' is in two folds.*--scheme stratified_text"
    ):
        read_splits(path, prepared, "prompt_holdout")
    divided = read_splits(path, prepared, "stratified_text")
    assert divided.sizes("stratified_text") == [13, 11]
    write_csv(path, rows[2:], ["id", "fold"])
    with pytest.raises(InputError, match="2 of 24 essays have no fold, the first is 'e0'"):
        read_splits(path, prepared, "prompt_holdout")


def test_further_partitions_deal_prompts_anew_and_are_as_even() -> None:
    train = generate(SyntheticCorpus(n_essays=300, n_prompts=15), "train")
    drawn = [
        make_splits(train, SplitSettings(n_splits=3, partition=number), "data")
        for number in (0, 1, 1, 2)
    ]
    dealt = [[fold.val_groups for fold in one.folds("prompt_holdout")] for one in drawn]
    assert dealt[1] == dealt[2]
    assert len({str(sorted(one)) for one in dealt}) == 3
    largest = max(train.prompts.count(name) for name in set(train.prompts))
    for one in drawn:
        sizes = one.sizes("prompt_holdout")
        assert sum(sizes) == len(train)
        assert max(sizes) - min(sizes) <= largest
    # Another seed alone deals whole prompts out as before, or nearly so: what this is for.
    texts = [one.by_scheme["stratified_text"] for one in drawn]
    assert texts[0] != texts[1] != texts[3]
