from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from essay_scoring.core.errors import InputError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import FloatArray
from essay_scoring.data.data_settings import SyntheticCorpus
from essay_scoring.data.synthetic import generate
from essay_scoring.scoring.estimator import EssayScorer
from essay_scoring.scoring.model import COLUMNS
from essay_scoring.scoring.score_file import ScoreRequest, score_file
from tests.scoring.made import new_essays, read_rows, write_essays

TRAIN = generate(SyntheticCorpus(n_essays=90, n_prompts=6, seed=3), "train")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> EssayScorer:
    scorer = EssayScorer("length", coverage=0.8, folder=tmp_path_factory.mktemp("home"))
    return scorer.fit(TRAIN.essays.texts, TRAIN.scores, prompts=TRAIN.prompts)


def test_three_lines() -> None:
    from essay_scoring import EssayScorer

    scorer = EssayScorer("length").fit(TRAIN.essays.texts, TRAIN.scores, prompts=TRAIN.prompts)
    bands = scorer.predict(new_essays(5).texts)
    assert bands.shape == (5,)
    assert set(bands) <= set(np.arange(1, 5.5, 0.5))
    np.testing.assert_array_equal(scorer.predict_table(new_essays(5).texts)["interval_low"], 1.0)


def test_it_says_what_the_score_command_writes(fitted: EssayScorer, tmp_path: Path) -> None:
    essays = new_essays(20)
    file, out = write_essays(tmp_path / "in.csv", essays), tmp_path / "out.csv"
    score_file(ScoreRequest(fitted.model_.folder, file, out), tmp_path, Progress(), workers=1)
    table = fitted.predict_table(essays.texts, essays.prompts)
    assert list(table) == list(COLUMNS)
    rows = read_rows(out)
    for name in COLUMNS[:4]:
        assert [float(row[name]) for row in rows] == list(table[name])
    for name in COLUMNS[4:]:
        assert [row[name] == "yes" for row in rows] == list(table[name])
    loaded = EssayScorer.load(fitted.model_.folder)
    bands = loaded.predict(essays.texts, essays.prompts)
    np.testing.assert_array_equal(bands, fitted.predict(essays.texts, essays.prompts))
    again = clone(loaded).fit(TRAIN.essays.texts, TRAIN.scores, prompts=TRAIN.prompts)
    assert loaded.get_params()["family"] == "length"
    np.testing.assert_array_equal(again.predict(essays.texts, essays.prompts), bands)


def test_weights_say_how_much_essays_count_in_learning() -> None:
    weights = np.where(np.arange(90) < 20, 0.0, np.where(TRAIN.scores > 3, 9.0, 1.0))
    kept = TRAIN.take(np.flatnonzero(weights))
    texts = new_essays(3).texts
    scorer = EssayScorer("mean", {"training": {"weighting": "none"}})

    def learnt(of: ScoredEssays, own: FloatArray | None = None) -> float:
        fitted = clone(scorer)
        fitted.fit(of.essays.texts, of.scores, prompts=of.prompts, sample_weight=own)
        return float(fitted.predict_table(texts)[COLUMNS[1]][0])

    assert learnt(TRAIN, weights) == learnt(kept, weights[weights > 0]) > learnt(kept) + 0.3
    with pytest.raises(InputError, match="fit, sample_weight: 70 weights are below zero"):
        scorer.fit(TRAIN.essays.texts, TRAIN.scores, prompts=TRAIN.prompts, sample_weight=-weights)


def test_conventions_of_estimators(fitted: EssayScorer) -> None:
    params = {"family": "ridge", "settings": {"scorer": {"alphas": [1.0]}}, "coverage": 0.7}
    scorer = EssayScorer(**params)  # type: ignore[arg-type]
    assert params.items() <= scorer.get_params().items()
    assert set(scorer.get_params()) == {
        "family",
        "settings",
        "scale",
        "coverage",
        "seed",
        "folder",
    }
    assert clone(scorer).get_params() == scorer.get_params()
    assert scorer.set_params(seed=7).seed == 7
    copy = clone(fitted)
    with pytest.raises(NotFittedError):
        copy.predict(["words"])
    again = copy.fit(TRAIN.essays.texts, TRAIN.scores, prompts=TRAIN.prompts)
    assert again.model_.folder == fitted.model_.folder


def test_what_cannot_be_learnt_from_is_told() -> None:
    texts, scores = list(TRAIN.essays.texts), list(TRAIN.scores)
    with pytest.raises(InputError, match="89 scores for 90 essays"):
        EssayScorer("mean").fit(texts, scores[1:], prompts=TRAIN.prompts)
    with pytest.raises(InputError, match="no prompt can be held out"):
        EssayScorer("mean").fit(texts, scores, prompts=["one"] * 90)
    with pytest.raises(InputError, match="off the scale 1 to 3 by 1"):
        EssayScorer("mean", scale=(1, 3, 1)).fit(texts, scores, prompts=TRAIN.prompts)
    with pytest.raises(InputError, match="unknown key"):
        EssayScorer("mean", {"scorre": {}}).fit(texts, scores, prompts=TRAIN.prompts)


@pytest.mark.parametrize("keeps", [True, False])
def test_it_is_pickled_with_its_model(fitted: EssayScorer, keeps: bool) -> None:
    scorer = fitted
    if not keeps:
        scorer = EssayScorer("length", coverage=0.8)
        scorer.fit(TRAIN.essays.texts, TRAIN.scores, prompts=TRAIN.prompts)
    again = pickle.loads(pickle.dumps(scorer))
    essays = new_essays(6)
    table, other = (one.predict_table(essays.texts) for one in (scorer, again))
    for name in COLUMNS:
        np.testing.assert_array_equal(other[name], table[name])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(again)).predict(essays.texts), table[COLUMNS[0]]
    )
