"""The head that training starts from: ridge regression on what the untrained encoder says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.errors import NotFiniteError
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.features.chunking import tokenise
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.models.scorer_settings import TrainingSettings
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.lp_ft import start_at_ridge
from essay_scoring.models.transformer.network import EssayNetwork
from essay_scoring.models.transformer.scorer import TransformerScorer
from essay_scoring.models.transformer.training_dataset import LabelScale, TrainingDataset
from tests.models.made import context, error, made_essays
from tests.models.transformer.architectures import made_network, transformer_settings
from tests.models.transformer.bag import CPU

TRAIN, DEV, HELD_OUT = made_essays(60), made_essays(20, seed=1), made_essays(30, seed=2)
ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
READER = Inference(4096, Place("fold-3", "starting the head", CPU))


def rated(essays: ScoredEssays) -> ScoredEssays:
    """Return essays with one trait, the score backwards, that every third of them lacks."""
    trait = 6.0 - essays.scores
    trait[::3] = np.nan
    return replace(essays, traits={"Syntax": trait})


def dataset(bert: EncoderFolder, cache: Path) -> tuple[TrainingDataset, TrainingDataset]:
    """Return dataset on scores and a trait, later essays weighing more."""
    train, dev = rated(TRAIN), rated(DEV)
    scale = LabelScale.of(train, with_traits=True)
    settings = transformer_settings(bert)
    return tuple(  # type: ignore[return-value]
        TrainingDataset.of(
            essays,
            tokenise(essays.essays.texts, bert, settings.encoder, cache),
            scale,
            np.linspace(0.5, 1.5, len(essays)),
        )
        for essays in (train, dev)
    )


def read(network: EssayNetwork, of: TrainingDataset) -> tuple[Matrix, Matrix]:
    found = READER.read(network, of.essays, of.prompts)
    return found.values, found.representations


def ridge_by_scikit_learn(
    vectors: tuple[Matrix, Matrix], train: TrainingDataset, dev: TrainingDataset, column: int
) -> FloatArray:
    """Return what the ridge that errs least on dev predicts of the training essays."""
    own, ahead = (~np.isnan(of.labels[:, column]) for of in (train, dev))
    scaler = StandardScaler().fit(vectors[0][own].astype(np.float64))
    z, z_dev = (scaler.transform(v.astype(np.float64)) for v in vectors)
    models = [
        Ridge(alpha).fit(z[own], train.labels[own, column], train.weights[own]) for alpha in ALPHAS
    ]
    errors = [np.mean((m.predict(z_dev[ahead]) - dev.labels[ahead, column]) ** 2) for m in models]
    predicted: FloatArray = models[int(np.argmin(errors))].predict(z)
    return predicted


def test_it_is_the_ridge_of_every_label_on_the_essays_rated_for_it(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    train, dev = dataset(bert, tmp_path)
    network = made_network(bert)
    vectors = (read(network, train)[1], read(network, dev)[1])
    start_at_ridge(network, train, dev, READER)
    values, after = read(network, train)
    np.testing.assert_array_equal(after, vectors[0])
    for column in range(2):
        expected = ridge_by_scikit_learn(vectors, train, dev, column)
        np.testing.assert_allclose(values[:, column], expected, atol=1e-4)


def test_a_label_that_no_dev_essay_has_is_fitted_with_the_strongest_penalty(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    train, dev = dataset(bert, tmp_path)
    labels = dev.labels.copy()
    labels[:, 1] = np.nan
    network = made_network(bert)
    start_at_ridge(network, train, replace(dev, labels=labels), READER)
    values = read(network, train)[0]
    assert np.ptp(values[:, 1]) < 0.2 * np.ptp(values[:, 0])


def test_a_network_that_is_not_finite_says_so_before_training(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    train, dev = dataset(bert, tmp_path)
    network = made_network(bert)
    with torch.no_grad():
        network.centring.mean[0] = float("nan")
    with pytest.raises(NotFiniteError, match="fold-3, starting the head, prompt 'p0', 'p1'"):
        start_at_ridge(network, train, dev, READER)


def test_a_scorer_that_hardly_learns_is_the_ridge_it_started_from(
    bert: EncoderFolder, tmp_path: Path
) -> None:
    def fitted(start: str) -> float:
        settings = transformer_settings(
            bert, lp_ft=start, epochs=1, learning_rate=1e-9, head_learning_rate=1e-9
        )
        made = TransformerScorer(settings, TrainingSettings(), replace(context(), cache=tmp_path))
        made.fit(TRAIN, DEV)
        return error(made.predict(HELD_OUT.essays), HELD_OUT)

    mean = error(np.full(len(HELD_OUT), TRAIN.scores.mean()), HELD_OUT)
    assert fitted("ridge") < 0.8 * min(mean, fitted("random"))
