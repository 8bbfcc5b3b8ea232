from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.audits.leakage import Holdout, leakage, permuted_labels
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.core.scale import FloatArray, ScoreScale, ScoreScales
from tests.audits.made_evidence import figure
from tests.statistics.made import HALVES

NOBODY = Essays((), (), ())


def made(n: int = 240) -> Holdout:
    """Essays of made words on eight prompts, two a fold."""
    rng = np.random.default_rng(0)
    prompts = tuple(f"p{number}" for number in np.arange(n) % 8)
    vocabulary = np.array([f"word{number}" for number in range(500)])
    texts = tuple(" ".join(rng.choice(vocabulary, 60)) for _ in range(n))
    scores = HALVES.round(3 + 0.8 * rng.normal(size=n), prompts)
    essays = Essays(tuple(f"e{row:03d}" for row in range(n)), texts, prompts)
    train = ScoredEssays(essays, scores, HALVES)
    return Holdout(train, np.arange(n) % 4, "prompt_holdout", NOBODY)


def honest(train: ScoredEssays) -> FloatArray:
    """A scorer that knows each essay's number of letters and nothing of its score."""
    return np.array([float(len(text)) for text in train.essays.texts])


def cheat(train: ScoredEssays) -> FloatArray:
    """A scorer that has seen what it predicts."""
    return train.scores + 0.1


def with_texts(holdout: Holdout, changes: dict[int, str]) -> Holdout:
    """Return the holdout with other texts in some rows."""
    essays = holdout.train.essays
    texts = tuple(changes.get(row, text) for row, text in enumerate(essays.texts))
    train = replace(holdout.train, essays=Essays(essays.ids, texts, essays.prompts))
    return replace(holdout, train=train)


def test_clean_folds_pass() -> None:
    section = leakage(made(), honest, "an honest scorer", 1)
    assert section.verdict == "pass"
    assert section.finding.startswith("No text lies on both sides of a fold")
    assert section.tables == []


def test_a_text_in_two_folds_is_found_however_it_is_spaced() -> None:
    clean = made()
    first = clean.train.essays.texts[0]
    section = leakage(with_texts(clean, {1: f" {first}\u200b\r\n"}), honest, "a scorer", 1)
    assert section.verdict == "fail"
    assert figure(section, "texts that lie in several folds").estimate == 1
    within = leakage(with_texts(clean, {4: first}), honest, "a scorer", 1)
    assert within.verdict == "pass"


def test_a_near_duplicate_across_folds_is_found_and_named_by_id() -> None:
    clean = made()
    almost = clean.train.essays.texts[0].replace("word1 ", "other ", 1) + " end"
    section = leakage(with_texts(clean, {1: almost}), honest, "a scorer", 1)
    assert figure(section, "near-duplicate pairs across folds").estimate == 1
    [row] = section.tables[0].rows
    assert row[:2] == ("e000", "e001")
    assert row[3:] == (0, 1)
    assert almost not in str(vars(section))


def test_a_split_prompt_and_a_locked_text_are_found() -> None:
    clean = made()
    folds = clean.fold_of.copy()
    folds[0] = 1
    split = leakage(replace(clean, fold_of=folds), honest, "a scorer", 1)
    assert figure(split, "prompts that lie in several folds").estimate == 1
    assert split.verdict == "fail"
    mixed = replace(clean, fold_of=folds, scheme="stratified_text")
    assert leakage(mixed, honest, "a scorer", 1).verdict == "pass"
    text = clean.train.essays.texts[7]
    locked = replace(clean, locked=Essays(("x",), (text.upper() and f"{text} ",), ("p1",)))
    found = leakage(locked, honest, "a scorer", 1)
    assert figure(found, "training texts that lie in the locked test").estimate == 1


def test_a_scorer_that_saw_the_labels_is_caught() -> None:
    section = leakage(made(), cheat, "a cheat", 1)
    assert section.verdict == "fail"
    assert figure(section, "correlation with permuted labels").estimate == pytest.approx(1.0)
    assert "A cheat, fitted on permuted labels, correlates +1.000" in section.finding


def test_the_permutation_keeps_the_scores_of_each_scale_and_the_seed_decides() -> None:
    holdout, seen = made(), []

    def remember(train: ScoredEssays) -> FloatArray:
        seen.append(train.scores)
        return honest(train)

    one, other = (permuted_labels(holdout, remember, 3) for _ in range(2))
    assert one == other
    # The limit is what chance explains of the estimate, so no interval stands beside it.
    assert (one.low, one.high, one.passes) == (None, None, True)
    for scores in seen:
        assert sorted(scores) == sorted(holdout.train.scores)
        assert (scores != holdout.train.scores).any()
    assert (seen[0] != seen[1]).any()


def test_a_constant_scorer_has_no_correlation() -> None:
    section = leakage(made(), lambda train: np.zeros(len(train)), "the mean", 1)
    assert figure(section, "correlation with permuted labels").estimate is None
    assert section.verdict == "pass"
    assert "correlates undefined" in section.finding


def test_prompts_of_unlike_scales_are_no_leak() -> None:
    """On 0-60 beside 1-6 scores correlate with anything that knows the scale."""
    clean = made()
    names = sorted(set(clean.train.prompts))
    wide, narrow = ScoreScale(low=0, high=60), ScoreScale(low=1, high=6)
    # Fold k holds prompts k and k + 4: one of each scale.
    scales = ScoreScales(by_prompt={p: wide if i < 4 else narrow for i, p in enumerate(names)})
    targets = clean.train.scales.to_training(clean.train.scores, clean.train.prompts)
    scores = scales.round(scales.from_training(targets, clean.train.prompts), clean.train.prompts)
    holdout = replace(clean, train=ScoredEssays(clean.train.essays, scores, scales))

    def middling(train: ScoredEssays) -> FloatArray:
        middle = np.array([len(text) for text in train.essays.texts]) / 200
        return train.scales.from_training(middle, train.prompts)

    assert permuted_labels(holdout, middling, seed=1).passes
