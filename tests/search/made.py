"""Searches small enough for a test, on the smoke corpus whose columns are stored already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.core.progress import Progress
from essay_scoring.records.search import Outcome
from essay_scoring.records.search_settings import Search, load_search
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.reports.search_report import write_search_reports
from essay_scoring.runs.reporters import Reporters
from essay_scoring.search.runner import run_search
from essay_scoring.search.search_workers import Team
from essay_scoring.search.work import SearchPlace, open_search
from tests.conftest import ROOT

SEARCHES = ROOT / "configs" / "search"
SMOKE_SEARCH = SEARCHES / "smoke.toml"
REPORTERS = Reporters(write_run_reports, write_search_reports)


def small_search(*overrides: str, **flags: Any) -> Search:
    """Return the smoke search, flat unless told, with overrides."""
    return load_search(SMOKE_SEARCH, ['mode="flat"', *overrides], **flags)


def workplace(space: Workspace, *overrides: str, **flags: Any) -> SearchPlace:
    """Return the workplace of the small search, its folder there."""
    place = open_search(small_search(*overrides, **flags), space, Progress(), None)
    place.folder.path.mkdir(parents=True, exist_ok=True)
    return place


def finished_search(space: Workspace, search: Search, team: Team = Team()) -> Path:  # noqa: B008
    """Return the folder of a search, run to the end."""
    return run_search(
        search, space, Progress(), team=team, reporters=REPORTERS, resume="the same command"
    )


def made_outcome(**changes: Any) -> Outcome:
    """Return a complete outcome with an agreement of 0.5 and both tails at 0.5."""
    known: dict[str, Any] = {
        "config": small_search().base,
        "state": "complete",
        "key": (0.5,),
        "figures": {"low_tail_adjacent": 0.5, "high_tail_adjacent": 0.5},
        "steps": {},
        "raw": (),
        "rounds": (),
        "seconds": 0.0,
    }
    return Outcome(**known | changes)
