"""The tuning round of a study: one search around the candidate that passed, on a fixed budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essay_scoring.core.files import read_json
from essay_scoring.records.config import RunConfig, load_run_config
from essay_scoring.records.manifest import require_intact
from essay_scoring.search.objectives import RULES
from essay_scoring.search.search_settings import Search

Tune = Callable[[Search], Path]
"""Runs a search, or finds it done, and returns its folder."""

SELECTED = Path("artifacts") / "selected_params.json"


@dataclass(frozen=True)
class TuningRound:
    """What a tuning round did, for study.json, and the config it selected (None: nothing kept)."""

    record: dict[str, Any]
    selected: RunConfig | None


def tuning_round(arm: str, search: Search, tune: Tune) -> TuningRound:
    """Return the tuning of a candidate.

    `expected_drop` is what `figure`, the first of the objective, is expected to lose on prompts
    that did not select; None where the search could not tell.
    """
    folder = tune(search)
    require_intact(folder)
    found = read_json(folder / "artifacts" / "search.json")
    curse = found["winners_curse"]
    figure = RULES[found["objective"]][0]
    path = folder / SELECTED
    selected = load_run_config(path) if path.is_file() else None
    record = {
        "arm": arm,
        "search": folder.name,
        "mode": found["mode"],
        "objective": found["objective"],
        "trials": search.settings.trials,
        "tried": found["counts"]["all"]["tried"],
        "space": sorted(search.settings.space),
        "params": found["selected"]["params"] if found["selected"] else None,
        "figure": figure,
        "expected_drop": curse["drop"][figure] if curse else None,
    }
    return TuningRound(record, selected)
