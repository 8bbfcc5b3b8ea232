"""What training learns on top of an encoder that does not learn, on essays with a planted shortcut.

The states are real ones; pooler, head, invariance method, optimiser and training are the project's.
They are standardised: as they come, the mean over an essay's tokens hides the topic in the common
mean, and a pooler finds the honest columns long before the shortcut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.progress import Progress
from essay_scoring.core.scale import IntArray
from essay_scoring.features.chunking import TokenisedEssay
from essay_scoring.features.precision import Arithmetic
from essay_scoring.models.context import Job
from essay_scoring.models.invariance.build import build_invariance
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.models.transformer.finite import Place
from essay_scoring.models.transformer.inference import Inference
from essay_scoring.models.transformer.learner import Learner
from essay_scoring.models.transformer.network import EssayNetwork, Named, Output
from essay_scoring.models.transformer.training_dataset import LabelScale, TrainingDataset
from essay_scoring.models.transformer.training_loop import Training
from essay_scoring.statistics.metrics import pearson

CPU = Arithmetic("cpu", "fp32")
TOKENS = 1_000


class FrozenNetwork(EssayNetwork):
    """A pooler and a head, as they stand in `EssayNetwork`, on one stored state an essay."""

    def __init__(self, states: Mapping[str, Tensor], seed: int) -> None:
        nn.Module.__init__(self)
        self.states = states
        self.width = len(next(iter(states.values())))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.pooler = nn.Sequential(nn.Linear(self.width, self.width), nn.Tanh())
            self.head = nn.Linear(self.width, 1)

    def forward(self, essays: Sequence[TokenisedEssay]) -> Output:
        representations = self.pooler(torch.stack([self.states[essay.key] for essay in essays]))
        return Output(self.head(representations), representations)

    def parameter_groups(self) -> dict[str, Named]:
        named = list(self.named_parameters())
        pooler = [pair for pair in named if pair[0].startswith("pooler.")]
        return {"encoder": pooler, "head": [pair for pair in named if pair not in pooler]}

    def trained_state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.named_parameters()}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        self.load_state_dict(dict(state))


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows of a corpus: some to train on, some of the same prompts as dev, and other prompts."""

    fit: IntArray
    dev: IntArray
    held_out: IntArray


def folds_of(corpus: ScoredEssays, n_folds: int = 3) -> list[Parts]:
    """Return the folds of held-out prompts.

    Dev is every tenth essay of each training prompt: the shortcut serves it as it serves training,
    so that stopping early does not do the invariance method's work.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    prompts = np.asarray(corpus.prompts)
    cutter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=42)
    folds = []
    for outside, held_out in cutter.split(prompts, corpus.bands, prompts):
        of_prompt = [outside[prompts[outside] == name] for name in np.unique(prompts[outside])]
        dev = np.sort(np.concatenate([rows[::10] for rows in of_prompt]))
        folds.append(Parts(np.setdiff1d(outside, dev), dev, held_out))
    return folds


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, the correlation of what it says of unseen prompts, and all its curves."""

    network: FrozenNetwork
    correlation: float
    curve: dict[str, list[float]]


def fitted(
    corpus: ScoredEssays, states: Matrix, parts: Parts, settings: TransformerSettings, seed: int
) -> Fitted:
    """Train on a fold and return what came of it."""
    rows_of = {name: getattr(parts, name) for name in ("fit", "dev", "held_out")}
    scale = LabelScale.of(corpus.take(parts.fit), with_traits=False)
    dataset = {name: _lessons(corpus.take(rows), scale) for name, rows in rows_of.items()}
    network = FrozenNetwork(_standardised(corpus, states, parts.fit), seed)
    taught = dataset["fit"]
    method = build_invariance(
        settings.invariance,
        group_sizes=taught.group_sizes,
        n_bands=int(taught.bands.max()) + 1,
        width=network.width,
        seed=seed,
    )
    learner = Learner(network, method, settings, CPU)
    standing = Training(learner, taught, dataset["dev"], seed, Job(), Progress()).run("")
    reader = Inference(TOKENS, Place("fit", "predicting", CPU))
    unseen = dataset["held_out"]
    values = reader.read(network, unseen.essays, unseen.prompts).values[:, 0]
    found = pearson(corpus.scores[parts.held_out], values.astype(np.float64)) or 0.0
    return Fitted(network, found, dict(standing.curve))


def _lessons(essays: ScoredEssays, scale: LabelScale) -> TrainingDataset:
    one = (np.zeros(1, dtype=np.int32),)
    counted = (np.ones(1, dtype=np.float32),)
    tokenised = [TokenisedEssay(name, one, counted) for name in essays.essays.ids]
    return TrainingDataset.of(essays, tokenised, scale, np.ones(len(essays)))


def _standardised(corpus: ScoredEssays, states: Matrix, fit: IntArray) -> dict[str, Tensor]:
    """Return each essay's state, standardised over the essays that are trained on."""
    mean, deviation = states[fit].mean(axis=0), states[fit].std(axis=0)
    values = torch.from_numpy((states - mean) / deviation)
    return dict(zip(corpus.essays.ids, values, strict=True))
