"""Where the head starts: at a linear probe of the untrained encoder (Kumar et al. 2022, LP-FT).

Fine-tuning from a random head first bends the encoder to that head, which costs agreement away from
the training data; from a fitted head it changes only what lowers the loss further.
"""

from __future__ import annotations

import numpy as np
import torch

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.linear import LinearModel, fit_ridge_path
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.network import EssayNetwork
from essay_scoring.models.transformer.training_dataset import TrainingDataset

_ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10_000.0, 30_000.0, 100_000.0)


def start_at_ridge(
    network: EssayNetwork, train: TrainingDataset, dev: TrainingDataset, reader: Inference
) -> None:
    """Set the head to ridge regressions on the representations the network has now, one a label.

    Each is fitted on `train` with its weights, at the strength that errs least on `dev`, where
    labels (n, 1 + traits) are not NaN. Raises NotFiniteError where a representation is not finite.
    """
    own, ahead = (
        reader.read(network, dataset.essays, dataset.prompts).representations
        for dataset in (train, dev)
    )
    for row in range(train.labels.shape[1]):
        rated, judged = (~np.isnan(dataset.labels[:, row]) for dataset in (train, dev))
        labels = train.labels[rated, row].astype(np.float64)
        path = fit_ridge_path(own[rated], labels, train.weights[rated], _ALPHAS)
        model = _best(path, ahead[judged], dev.labels[judged, row].astype(np.float64))
        slopes = model.coefficients / model.standardiser.deviation
        with torch.no_grad():
            network.head.weight[row] = torch.from_numpy(slopes)
            network.head.bias[row] = model.intercept - float(model.standardiser.mean @ slopes)


def _best(path: list[LinearModel], values: Matrix, labels: FloatArray) -> LinearModel:
    """Return the model that errs least; the strongest where there is nothing to judge by."""
    if not len(labels):
        return path[-1]
    errors = [np.mean((model.predict(values) - labels) ** 2) for model in path]
    return path[int(np.argmin(errors))]
