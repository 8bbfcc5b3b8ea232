"""The mean and the counts."""

from __future__ import annotations

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import Essays, ScoredEssays
from essay_scoring.models.baselines import LENGTH_NAMES, LengthScorer, MeanScorer, length_columns
from essay_scoring.models.scorer_settings import LengthSettings, MeanSettings, TrainingSettings

from .made import PER_PROMPT, SHARED, context, made_essays


def test_the_mean_is_on_each_essays_own_scale() -> None:
    # 30 of 0-60 is 2 on the training scale, 6 of 1-6 is 4: mean 3, which is 45 and 4.75.
    essays = Essays(("a", "b"), ("x", "y"), ("p0", "p1"))
    train = ScoredEssays(essays, np.array([30.0, 6.0]), PER_PROMPT)
    scorer = MeanScorer(MeanSettings(), TrainingSettings(), context(PER_PROMPT))
    scorer.fit(train, train)
    np.testing.assert_allclose(scorer.predict(essays), [45.0, 4.75])


def test_dev_scores_never_reach_the_mean() -> None:
    train, dev = made_essays(10), made_essays(10, seed=1, labels=[5.0])
    scorer = MeanScorer(MeanSettings(), TrainingSettings(), context())
    scorer.fit(train, dev)
    assert scorer.predict(dev.essays)[0] == pytest.approx(train.scores.mean())


def test_counts_by_hand() -> None:
    texts = ("One two. It's 3!\n\nEnd?", "a", " \n ")
    columns = length_columns(Essays(("a", "b", "c"), texts, ("p", "p", "p")))
    assert columns.names == LENGTH_NAMES
    # One two It s 3 End: six words; 22 characters; three sentence ends; two non-blank lines.
    counts = np.array([[6, 22, 3, 2], [1, 1, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(columns.values[:, [0, 2, 4, 5]], counts)
    np.testing.assert_allclose(columns.values[:, [1, 3]], np.log1p(counts[:, :2]), rtol=1e-6)


def test_length_learns_length_and_nothing_else() -> None:
    words = np.arange(100, 400, 5)
    texts = tuple("w" * 4 + " " + "word " * (n - 1) for n in words)
    n = len(texts)
    essays = Essays(tuple(map(str, words)), texts, ("p",) * n)
    train = ScoredEssays(essays, np.round(2 * (1 + words / 100)) / 2, SHARED)
    scorer = LengthScorer(LengthSettings(), TrainingSettings(), context())
    scorer.fit(train, train.take([0]))
    assert np.corrcoef(scorer.predict(essays), words)[0, 1] > 0.98
    renamed = Essays(essays.ids, tuple(text.replace("d", "z") for text in texts), essays.prompts)
    np.testing.assert_array_equal(scorer.predict(renamed), scorer.predict(essays))


def test_no_training_essays_is_an_error_and_no_essays_to_predict_is_not() -> None:
    train = made_essays(10)
    scorer = MeanScorer(MeanSettings(), TrainingSettings(), context())
    with pytest.raises(InputError, match="no training essays"):
        scorer.fit(train.take([]), train)
    with pytest.raises(InputError, match="no dev essays"):
        scorer.fit(train, train.take([]))
    scorer.fit(train, train)
    assert scorer.predict(train.essays.take([])).shape == (0,)


def test_an_unfitted_scorer_says_so() -> None:
    with pytest.raises(RuntimeError, match="fit or load"):
        MeanScorer(MeanSettings(), TrainingSettings(), context()).predict(made_essays(2).essays)
