"""`prompt_probe.json`: what a run's learnt representations still say of the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.essays import Essays
from essay_scoring.core.fingerprint import derive_seed
from essay_scoring.core.scale import IntArray
from essay_scoring.features.embeddings import EmbeddingBlock
from essay_scoring.features.encoders import resolve_encoder
from essay_scoring.features.frozen_encoder import encoder_shape
from essay_scoring.features.store import FeatureStore
from essay_scoring.models.context import Job
from essay_scoring.models.ensemble import EnsembleScorer
from essay_scoring.models.registry import load_scorer
from essay_scoring.models.scorer_settings import TransformerSettings
from essay_scoring.records.config import RunConfig
from essay_scoring.records.probes import PromptProbe
from essay_scoring.runs.run import Run
from essay_scoring.statistics.probe import Counts, Values, pooled, probe_counts

TRAINING_SAMPLE = 200
"""Training essays that each fold is probed on: five folds give an interval of 3 points each way."""

_MAX_WORDS = 5000


@runtime_checkable
class Representing(Protocol):
    """A scorer that can show what it makes of an essay before it scores it."""

    def representations(self, essays: Essays) -> Matrix:
        """Return one row an essay, shape (n, d)."""


def is_probed(config: RunConfig) -> bool:
    """Tell whether a run ends with a probe: always under an invariance method, else if asked for.

    Scorers that form no representation have none.
    """
    scorer = config.scorer
    if not isinstance(scorer, TransformerSettings):
        return False
    return scorer.invariance.method != "none" or config.evaluation.prompt_probe


def prompt_probe(run: Run, models: Path) -> PromptProbe:
    """Return accuracies of linear probes for the prompt, from the models saved in `models`.

    `held_out`: each fold's essays, as the model that never saw them represents them, probed among
    the fold's own prompts. `training`: a sample of those each model was fitted on, whose prompts an
    adversary worked on. Beside `learnt` stand the `frozen` encoder (the mean token vector at the
    same layer) and `tfidf` (single words). Folds are added up; the majority is in each record.
    """
    frozen = _frozen(run)
    parts: dict[tuple[str, str], list[Counts]] = {}
    with run.progress.stage("prompt probe", len(run.design.folds), "folds") as advance:
        for fold in run.design.folds:
            scorer = _scorer(run, models / f"fold-{fold}" / "model")
            for where, rows in _probed_rows(run, fold).items():
                essays = run.prepared.train.essays.take(rows)
                seed = derive_seed(run.config.seed, "probe", where, fold)
                for name, values in (
                    ("learnt", scorer.representations(essays)),
                    ("frozen", frozen[rows]),
                    ("tfidf", _word_weights(essays)),
                ):
                    counts = probe_counts(values, essays.prompts, seed)
                    parts.setdefault((where, name), []).append(counts)
            advance(1)
    held_out, training = (
        {name: pooled(counts) for (part, name), counts in parts.items() if part == where}
        for where in ("held_out", "training")
    )
    return PromptProbe(training_sample=TRAINING_SAMPLE, held_out=held_out, training=training)


def _probed_rows(run: Run, fold: int) -> dict[str, IntArray]:
    """Return the rows of the essays a fold holds out, and of a sample of those it was fitted on."""
    fit, _ = run.design.training_rows([fold])
    rng = np.random.default_rng(derive_seed(run.config.seed, "probe sample", fold))
    sample = np.sort(rng.permutation(fit)[:TRAINING_SAMPLE])
    return {"held_out": run.design.held_out_rows([fold]), "training": sample}


def _scorer(run: Run, folder: Path) -> Representing:
    """Return the saved scorer; of an ensemble its first member, which has the run's own seed."""
    scorer = load_scorer(folder, run.context(Job("prompt probe")))
    if isinstance(scorer, EnsembleScorer):
        scorer = scorer.members[0]
    if not isinstance(scorer, Representing):
        raise TypeError(f"{type(scorer).__name__} forms no representation")
    return scorer


def _frozen(run: Run) -> Matrix:
    """Return the untrained encoder's mean token vectors of all essays, at the layer it is cut."""
    scorer, space = run.config.scorer, run.workspace
    if not isinstance(scorer, TransformerSettings):
        raise TypeError("only an encoder can be read frozen")
    depth, _ = encoder_shape(resolve_encoder(scorer.encoder, space.encoders).path)
    settings = scorer.encoder.model_copy(update={"layers": (scorer.layer or depth,)})
    block = EmbeddingBlock(settings, space.encoders)
    store = FeatureStore(space.features)
    return store.columns(block, run.prepared.train.essays, run.progress).values


def _word_weights(essays: Essays) -> Values:
    """Return dense TF-IDF weights of the commonest words, shape (n, words)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=_MAX_WORDS)
    weights: Values = vectorizer.fit_transform(essays.texts).toarray()
    return weights
