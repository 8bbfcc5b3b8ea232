"""From settings to scorers, and from saved folders back: the one list of families."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from essay_scoring.core.contracts import Scorer
from essay_scoring.core.errors import InputError
from essay_scoring.core.names import resolve_name
from essay_scoring.models.card import CARD_NAME, REFIT, Card, read_card
from essay_scoring.models.context import Job, ScorerContext
from essay_scoring.models.ensemble import EnsembleScorer, member_folder
from essay_scoring.models.family import FamilyScorer
from essay_scoring.models.scorer_settings import (
    BlendSettings,
    ScorerSettings,
    TrainingSettings,
)

__all__ = ["ScorerContext", "build_scorer", "load_scorer"]


def build_scorer(
    settings: ScorerSettings, training: TrainingSettings, context: ScorerContext
) -> Scorer:
    """Return an unfitted scorer; `training.ensemble` > 1 gives members with seeds seed + i."""
    if context.job.member is not None:
        return _build(settings, training, _of_member(context, context.job.member))
    if training.ensemble == 1:
        return _build(settings, training, context)
    members = (_of_member(context, number) for number in range(training.ensemble))
    return EnsembleScorer([_build(settings, training, member) for member in members])


def _build(
    settings: ScorerSettings, training: TrainingSettings, context: ScorerContext
) -> FamilyScorer[Any]:
    """Return one unfitted scorer, of one seed."""
    if not isinstance(settings, BlendSettings):
        scorer: FamilyScorer[Any] = resolve_name(settings.scorer_class)(settings, training, context)
        return scorer
    from essay_scoring.models.blend import BlendScorer, context_of_part

    parts = [
        _build(member.scorer, training, context_of_part(context, number, member))
        for number, member in enumerate(settings.members)
    ]
    return BlendScorer(settings, training, context, parts)


def _of_member(context: ScorerContext, number: int) -> ScorerContext:
    """Return the context of a member of an ensemble: its own seed and its own checkpoints."""
    job = context.job
    work = None if job.work is None else member_folder(job.work, number)
    named = Job(f"{job.name}, member {number}", work)
    return replace(context, seed=context.seed + number, job=named)


def load_scorer(folder: Path, context: ScorerContext) -> Scorer:
    """Return the scorer saved in a folder; raise InputError if it is not whole or not known."""
    card = read_card(folder)
    if card.members == 1:
        return _restore(folder, card, context)
    return EnsembleScorer([_member(folder, i, card, context) for i in range(card.members)])


def _member(folder: Path, number: int, whole: Card, context: ScorerContext) -> Scorer:
    own = member_folder(folder, number)
    card = read_card(own)
    if (card.members, card.settings, card.columns) != (1, whole.settings, whole.columns):
        raise InputError(
            "not a member of the ensemble around it", where=str(own / CARD_NAME), mend=REFIT
        )
    return _restore(own, card, context)


def _restore(folder: Path, card: Card, context: ScorerContext) -> Scorer:
    context = replace(context, seed=card.seed)
    scorer = _build(card.settings, card.training, context)
    scorer.restore(folder, card)
    return scorer
