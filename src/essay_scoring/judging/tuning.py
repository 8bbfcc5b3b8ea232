"""The tuning round of a study: one search around the candidate that passed, on a fixed budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.records.config import RunConfig
from essay_scoring.records.search import RULES, SearchFolder, TuningRecord
from essay_scoring.records.search_settings import Search

Tune = Callable[[Search], Path]
"""Runs a search, or finds it done, and returns its folder."""


@dataclass(frozen=True)
class TuningRound:
    """What a tuning round did, for study.json, and the config it selected (None: nothing kept)."""

    record: TuningRecord
    selected: RunConfig | None


def tuning_round(arm: str, search: Search, tune: Tune) -> TuningRound:
    """Return the tuning of a candidate; raise EvidenceError for a search changed since it ended.

    `expected_drop` is what `figure`, the first of the objective, is expected to lose on prompts
    that did not select; None where the search could not tell.
    """
    folder = SearchFolder.verified(tune(search))
    result = folder.read_search()
    curse, figure = result.winners_curse, RULES[result.objective][0]
    record = TuningRecord(
        arm=arm,
        search=folder.path.name,
        mode=result.mode,
        objective=result.objective,
        trials=search.settings.trials,
        tried=result.counts["all"].tried,
        space=sorted(search.settings.space),
        params=result.selected.params if result.selected else None,
        figure=figure,
        expected_drop=curse.drop[figure] if curse else None,
    )
    return TuningRound(record, folder.read_selected())
