from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from essay_scoring.audits.failure_cards import CardMaterial, failure_cards
from essay_scoring.core.contracts import Columns
from essay_scoring.records.audit_record import AuditSection
from essay_scoring.statistics.predictions import Predictions
from essay_scoring.statistics.summary import summarise
from tests.statistics.made import made_predictions, of_scores

BAD = "p03"


def spoilt(predictions: Predictions, prompt: str) -> Predictions:
    """Return the predictions with one prompt's scored a point and a half too high."""
    p = predictions
    at = np.array([name == prompt for name in p.prompts])
    raw = np.where(at, p.raw + 1.5, p.raw)
    return replace(p, raw=raw, final=p.scales.round(raw, p.prompts))


def material(predictions: Predictions, *, columns: bool = True) -> CardMaterial:
    """Return predictions with made words, and columns of which one is far off for BAD."""
    rng = np.random.default_rng(5)
    n = len(predictions)
    bad = np.array([name == BAD for name in predictions.prompts])
    values = rng.normal(size=(n, 2))
    values[:, 1] += 4 * bad
    values[::9, 0] = np.nan
    summary = summarise(predictions, min_prompt_n=20, replicates=100)
    made = Columns(("mtld", "word_count"), values.astype(np.float32))
    words = rng.integers(100, 400, n).astype(np.float64)
    return CardMaterial(predictions, summary.prompts, words, made if columns else None)


@pytest.fixture(scope="module")
def cards() -> list[AuditSection]:
    return failure_cards(material(spoilt(made_predictions(400), BAD)), bottom_k=3)


def test_the_prompt_that_was_made_bad_comes_first(cards: list[AuditSection]) -> None:
    assert len(cards) == 3
    assert BAD in cards[0].title
    assert "too high" in cards[0].finding
    qwk, bias = cards[0].figures[:2]
    assert all(figure.group == BAD for figure in cards[0].figures)
    assert qwk.estimate == min(card.figures[0].estimate or 1 for card in cards)
    assert bias.estimate is not None
    assert bias.low is not None
    assert bias.high is not None
    assert 1 < bias.low < bias.estimate < bias.high < 2


def test_a_bias_within_chance_is_not_told_as_one() -> None:
    # Off by +1 and -1 in turn: the mean is 0.
    p = of_scores([3, 3, 3, 3], [4, 2, 4, 2], prompts=["a"] * 4)
    rows = summarise(p, min_prompt_n=2, replicates=100).prompts
    (card,) = failure_cards(CardMaterial(p, rows, np.ones(4), None), bottom_k=1)
    assert "not off to one side" in card.finding
    assert card.figures[1].estimate == 0


def test_the_feature_that_is_unlike_training_is_named(cards: list[AuditSection]) -> None:
    name, construct, far, mean, usual, n = cards[0].tables[0].rows[0]
    assert (name, construct) == ("word_count", "length")
    assert 3 < float(far or 0) < 5
    assert float(mean or 0) == pytest.approx(float(usual or 0) + 4, abs=0.6)
    assert n == cards[0].figures[0].n
    assert "word_count +" in cards[0].finding
    # Undefined values of the other column are left out and not counted.
    assert int(cards[0].tables[0].rows[1][-1] or 0) < int(n or 0)


def test_essays_of_other_prompts_in_the_same_fold_were_not_trained_on() -> None:
    # Folds {a, b} and {c}: the model that predicted a learnt from c alone. Mean 1 against values
    # 3 and 5 of c: (1 - 4) / sqrt(2) deviations; b's 100 must not enter.
    prompts, folds = ["a", "a", "b", "b", "c", "c"], [0, 0, 0, 0, 1, 1]
    p = of_scores([1, 5, 2, 3, 2, 3], [5, 1, 2, 3, 2, 3], prompts=prompts, folds=folds)
    values = np.array([[1], [1], [100], [100], [3], [5]], dtype=np.float32)
    rows = summarise(p, min_prompt_n=2, replicates=100).prompts
    made = CardMaterial(p, rows, np.ones(6, dtype=np.float64), Columns(("mtld",), values))
    (card,) = failure_cards(made, bottom_k=1)
    assert card.tables[0].rows[0][2] == pytest.approx(-3 / np.sqrt(2))


def test_prompts_that_span_folds_are_held_against_all_others() -> None:
    # Prompt a lies in both folds: its models learnt from b in either. (1 - 4) / sqrt(2) again.
    p = of_scores([1, 5, 2, 3], [5, 1, 2, 3], prompts=["a", "a", "b", "b"], folds=[0, 1, 0, 1])
    rows = summarise(p, min_prompt_n=2, replicates=100).prompts
    values = np.array([[1], [1], [3], [5]], dtype=np.float32)
    made = CardMaterial(p, rows, np.ones(4), Columns(("mtld",), values))
    (card,) = failure_cards(made, bottom_k=1)
    assert card.tables[0].rows[0][2] == pytest.approx(-3 / np.sqrt(2))


def test_the_most_wrongly_scored_essays_are_named_by_id() -> None:
    p = of_scores([3, 3, 3, 3, 1, 5], [4, 2, 3, 5, 1, 4.5], prompts=["a"] * 6)
    rows = summarise(p, min_prompt_n=2, replicates=100).prompts
    words = np.arange(0, 60, 10, dtype=np.float64)
    (card,) = failure_cards(CardMaterial(p, rows, words, None), bottom_k=1)
    over, under = card.tables[1:]
    # Off by +1, -1, 0, +2, 0, -0.5: an essay that is right is on neither list.
    assert [row[0] for row in over.rows] == ["e3", "e0"]
    assert [row[0] for row in under.rows] == ["e1", "e5"]
    assert over.rows[0] == ("e3", 3.0, 5.0, 5.0, 30)


def test_the_score_that_was_given_decides_which_way_an_essay_is_off() -> None:
    """Cut-points gave 2.5 for a prediction of 3.2: below the raters' 3, whatever it was before."""
    p = replace(
        of_scores([3, 3, 3, 2], [2.5, 3.5, 3, 3], prompts=["a"] * 4),
        raw=np.array([3.2, 2.9, 3.1, 2.6]),
    )
    rows = summarise(p, min_prompt_n=2, replicates=100).prompts
    (card,) = failure_cards(CardMaterial(p, rows, np.ones(4), None), bottom_k=1)
    over, under = card.tables[1:]
    assert [row[0] for row in over.rows] == ["e3", "e1"]
    assert [row[0] for row in under.rows] == ["e0"]


def test_tails_and_length_are_told_with_their_n() -> None:
    # True 1 and 2 are the low tail, 5 the high one; words rise with the true score.
    p = of_scores([1, 2, 3, 5], [1, 4, 3, 5], prompts=["a"] * 4)
    rows = summarise(p, min_prompt_n=2, replicates=100).prompts
    made = CardMaterial(p, rows, np.array([10.0, 20.0, 30.0, 40.0]), None)
    figures = {figure.name: figure for figure in failure_cards(made, bottom_k=1)[0].figures}
    low, high = (figures[f"adjacent agreement, {name} tail"] for name in ("low", "high"))
    assert (low.estimate, low.n) == (0.5, 2)
    assert (high.estimate, high.n) == (1.0, 1)
    # Wilson: 1 of 2 and 1 of 1 say little.
    assert low.low == pytest.approx(0.0945, abs=1e-3)
    assert low.high == pytest.approx(0.9055, abs=1e-3)
    assert high.low == pytest.approx(0.2065, abs=1e-3)
    assert figures["length with true scores (Spearman)"].estimate == pytest.approx(1)
    # Ranks of the predictions are 1, 3, 2, 4: 1 - 6 * 2 / (4 * 15) = 0.8.
    assert figures["length with predictions (Spearman)"].estimate == pytest.approx(0.8)


def test_without_columns_a_card_tells_nothing_of_features() -> None:
    card = failure_cards(material(spoilt(made_predictions(400), BAD), columns=False), 1)[0]
    assert card.tables[0].rows == []
    assert "unlike" not in card.finding


def test_no_prompt_is_large_enough() -> None:
    p = made_predictions(100, n_prompts=20)
    assert failure_cards(replace(material(p), prompts=[]), 5) == []
