"""Scorers fitted again in a run's own folds, to see what they learn from other labels."""

from __future__ import annotations

import numpy as np

from essay_scoring.core.essays import ScoredEssays
from essay_scoring.core.scale import FloatArray
from essay_scoring.models.context import Job
from essay_scoring.models.registry import build_scorer
from essay_scoring.models.scorer_settings import (
    LengthSettings,
    RidgeSettings,
    ScorerSettings,
    TransformerSettings,
)
from essay_scoring.runs.run import Run


def out_of_fold(run: Run, train: ScoredEssays, settings: ScorerSettings) -> FloatArray:
    """Return raw out-of-fold predictions, (n,), of a scorer fitted on `train` in the run's folds.

    `train` are the run's essays in their order, with scores of their own. One seed, no ensemble.
    """
    raw = np.empty(len(train))
    training = run.config.training.model_copy(update={"ensemble": 1})
    for fold in run.design.folds:
        fit, dev = run.design.training_rows([fold])
        scorer = build_scorer(settings, training, run.context(Job("refit")))
        scorer.fit(train.take(fit), train.take(dev))
        held_out = run.design.held_out_rows([fold])
        raw[held_out] = scorer.predict(train.essays.take(held_out))
    return raw


def brief_settings(settings: ScorerSettings) -> tuple[ScorerSettings, str]:
    """Return settings that fit in seconds and would leak what the run's own leak, and their name.

    Trees give way to a ridge on the same columns; a fine-tuned encoder reads none, and a scorer of
    length stands for it.
    """
    if settings.explained_by == "tree_shap":
        return RidgeSettings(), "a ridge on the same columns"
    if isinstance(settings, TransformerSettings):
        return LengthSettings(), "a scorer of length, standing for the slow fine-tuned one"
    return settings, f"the {settings.family} scorer"
