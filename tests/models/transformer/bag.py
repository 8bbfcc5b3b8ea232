"""The smallest network that training can be tried on: the mean of word vectors, and a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import IntArray
from essay_scoring.features.chunking import TokenisedEssay
from essay_scoring.features.precision import Arithmetic
from essay_scoring.models.context import Job
from essay_scoring.models.invariance.build import build_invariance
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.learner import Learner
from essay_scoring.models.transformer.network import EssayNetwork, Output
from essay_scoring.models.transformer.training_dataset import TrainingDataset
from essay_scoring.models.transformer.training_loop import Training

VOCABULARY, WIDTH = 30, 6
CPU = Arithmetic("cpu", "fp32")
PLACE = Place("fold-1", "training", CPU)


class BagNetwork(EssayNetwork):
    """Reads the mean of an essay's word vectors, which do not learn, through one hidden layer."""

    words: nn.Embedding
    hidden: nn.Linear
    norm: nn.LayerNorm
    head: nn.Linear

    def __init__(self, heads: int = 1, seed: int = 0) -> None:
        nn.Module.__init__(self)
        self.width = WIDTH
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.words = nn.Embedding(VOCABULARY, WIDTH).requires_grad_(requires_grad=False)
            self.hidden = nn.Linear(WIDTH, WIDTH)
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, heads)

    def forward(self, essays: Sequence[TokenisedEssay]) -> Output:
        rows = [self.words(torch.tensor(np.concatenate(e.ids))).mean(dim=0) for e in essays]
        vectors = self.norm(torch.tanh(self.hidden(torch.stack(rows))))
        return Output(self.head(vectors), vectors)

    def parameter_groups(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        named = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        head = [(name, p) for name, p in named if name.startswith("head")]
        return {"encoder": [pair for pair in named if pair not in head], "head": head}

    def trained_state(self) -> dict[str, Tensor]:
        learnt = (pair for pairs in self.parameter_groups().values() for pair in pairs)
        return {name: parameter.detach().clone() for name, parameter in learnt}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        self.load_state_dict(state, strict=False)


def made_dataset(n: int, seed: int = 0, traits: int = 0, groups: int = 3) -> TrainingDataset:
    """Return n essays of 5 to 40 tokens whose label grows with their share of token 1."""
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=(n, 1 + traits)).astype(np.float32)
    essays = []
    for i in range(n):
        length = int(rng.integers(5, 40))
        share = 1 / (1 + np.exp(-2.0 * labels[i, 0]))
        others = rng.integers(2, VOCABULARY, size=length)
        ids = np.where(rng.random(length) < share, 1, others).astype(np.int32)
        essays.append(TokenisedEssay(f"{seed}-{i}", (ids,), (np.ones(length, np.float32),)))
    numbers: IntArray = rng.integers(0, groups, size=n)
    numbers[:groups] = range(groups)
    prompts = tuple(f"prompt {number}" for number in numbers)
    bands: IntArray = rng.integers(0, 4, size=n)
    return TrainingDataset(essays, prompts, labels, rng.uniform(0.5, 1.5, size=n), numbers, bands)


def settings(**changes: Any) -> TransformerSettings:
    """Return settings of a small training in fp32."""
    given: dict[str, Any] = {
        "learning_rate": 0.01,
        "head_learning_rate": 0.03,
        "epochs": 3,
        "batch_size": 4,
        "accumulation": 2,
        "mixed_precision": "none",
    }
    return TransformerSettings(**(given | changes))


def learner(dataset: TrainingDataset, chosen: TransformerSettings, seed: int = 0) -> Learner:
    """Return a learner on a fresh network and the invariance method of the settings."""
    invariance = build_invariance(
        chosen.invariance,
        group_sizes=dataset.group_sizes,
        n_bands=4,
        width=WIDTH,
        seed=seed,
    )
    network = BagNetwork(dataset.labels.shape[1], seed)
    return Learner(network, invariance, chosen, CPU)


def network_of(taught: Learner) -> BagNetwork:
    """Return the network of a learner that `learner` made."""
    assert isinstance(taught.network, BagNetwork)
    return taught.network


def training(
    chosen: TransformerSettings, work: Path | None = None, *, n: int = 44, seed: int = 0
) -> Training:
    """Return a training on made dataset, ready to run."""
    dataset, dev = made_dataset(n), made_dataset(20, seed=1)
    job = Job("fold-1", work)
    return Training(learner(dataset, chosen, seed), dataset, dev, seed, job, Progress())
