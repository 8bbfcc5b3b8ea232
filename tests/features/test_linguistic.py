from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.essays import Essays
from essay_scoring.features import annotation
from essay_scoring.features.language_errors import COLUMNS as ERROR_COLUMNS
from essay_scoring.features.language_errors import LanguageErrorsBlock
from essay_scoring.features.linguistic import (
    COMPANIONS,
    FEATURES,
    HANDCRAFTED,
    LinguisticBlock,
    feature_rows,
)
from essay_scoring.statistics.metrics import spearman

ROOT = Path(__file__).parents[2]
SIGNS = {
    "grammar_errors_per_100_words": -1,
    "spelling_errors_per_100_words": -1,
    "punctuation_errors_per_100_words": -1,
    "mtld": 1,
    "mattr": 1,
    "guiraud": 1,
}
SIMILARITY = {"sent_similarity_variance", "prompt_similarity", "intro_prompt_sim"}
SIMILARITY |= {"min_para_relevance"}
TEXTS = (
    "Dogs bark because they can. However, cats sleep.\n\nIn conclusion, they differ.",
    "It was said that he left.",
    "One",
    "",
    "...",
    "Half a character \ud83d and \x00 a NUL.",
    "I like school and I like my friends and I like games and I like to run around.",
)


def essays(texts: tuple[str, ...]) -> Essays:
    return Essays(tuple(map(str, range(len(texts)))), texts, ("p",) * len(texts))


def test_the_blocks_make_every_column_that_is_not_similarity_once() -> None:
    made = [*LinguisticBlock().column_names, *LanguageErrorsBlock().column_names]
    assert len(set(made)) == len(made)
    assert set(made) == (set(HANDCRAFTED) | set(COMPANIONS)) - SIMILARITY
    assert len(HANDCRAFTED) == len(set(HANDCRAFTED)) == 25
    assert not set(HANDCRAFTED) & set(COMPANIONS)
    assert HANDCRAFTED[:3] == ERROR_COLUMNS[:3]


def test_rows_hold_each_feature_under_its_name() -> None:
    values = dict(zip(FEATURES, feature_rows(TEXTS[:1])[0], strict=True))
    # 12 words in 3 sentences and 2 paragraphs; because and however, both different.
    assert values["word_count"] == 12
    assert values["avg_sentence_length"] == 4
    assert values["paragraph_count"] == 2
    assert values["has_conclusion"] == 1
    assert values["connective_diversity"] == 1
    # 12 words, of which "they" comes twice.
    assert values["ttr"] == pytest.approx(11 / 12)


def test_nan_is_the_only_value_that_is_not_finite() -> None:
    rows = feature_rows(TEXTS)
    assert rows.dtype == np.float32
    assert not np.isinf(rows).any()
    assert np.isfinite(rows[0]).all()
    counted = [name for name, value in zip(FEATURES, rows[3], strict=True) if np.isfinite(value)]
    # Of nothing, only counts and yes-or-no have a value, and it is 0.
    assert set(counted) == {
        "word_count", "clause_count", "connective_diversity", "paragraph_count", "has_intro",
        "has_conclusion",
    }  # fmt: skip
    assert not np.nan_to_num(rows[3]).any()
    assert feature_rows([]).shape == (0, len(FEATURES))


def test_rows_are_the_same_from_workers_and_from_this_process_in_any_order() -> None:
    # Essays hold every text in one form, and that is what has columns.
    texts = tuple(essays(TEXTS * 2).texts)
    here = feature_rows(texts)
    columns = LinguisticBlock().columns(essays(texts))
    assert columns.names == tuple(FEATURES)
    assert columns.values.tobytes() == here.tobytes()
    turned = LinguisticBlock().columns(essays(texts[::-1]))
    assert turned.values[::-1].tobytes() == here.tobytes()


def test_identity_is_json_and_names_the_model() -> None:
    identity = json.loads(json.dumps(LinguisticBlock().identity))
    assert identity["packages"][annotation.MODEL_PACKAGE] == "3.8.0"
    assert {"spacy", "thinc", "numpy"} < set(identity["packages"])


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, block in (("spacy", LinguisticBlock()), ("lt_py", LanguageErrorsBlock())):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setattr("importlib.util._find_spec", lambda name, path: None)
        with pytest.raises(MissingExtraError, match=r"essay-scoring\[language\]"):
            _ = block.identity


@pytest.mark.corpus
def test_real_essays_have_finite_features_that_order_them_as_raters_do() -> None:
    folder = Path(os.environ.get("ESSAY_SCORING_DATA", ROOT.parent / "shared" / "data"))
    path = folder / "ellipse" / "ellipse_train.csv"
    if not path.is_file():
        pytest.skip(f"no real essays at {path}: set ESSAY_SCORING_DATA")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))[:160]
    texts = essays(tuple(row["full_text"] for row in rows))
    scores = np.array([float(row["Overall"]) for row in rows])
    for block in (LinguisticBlock(), LanguageErrorsBlock()):
        columns = block.columns(texts)
        values = dict(zip(columns.names, columns.values.T.astype(np.float64), strict=True))
        for name in SIGNS.keys() & values.keys():
            assert np.isfinite(values[name]).all()
            agreement = spearman(values[name], scores)
            assert agreement is not None
            assert SIGNS[name] * agreement > 0.15, name
