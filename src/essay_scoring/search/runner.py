"""`optuna-sweep`: a search from its file to the configuration it selects and what that is worth."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from essay_scoring.core.files import write_json
from essay_scoring.core.progress import Progress
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.reporters import Reporters
from essay_scoring.runs.run import provenance_of
from essay_scoring.runs.session import Session
from essay_scoring.search.finish import Finish
from essay_scoring.search.search_settings import Search
from essay_scoring.search.search_workers import Team, counted, helpers, take_part
from essay_scoring.search.storage import require_optuna
from essay_scoring.search.work import Workplace, open_workplace, work


def run_search(
    search: Search,
    workspace: Workspace,
    progress: Progress,
    *,
    team: Team,
    reporters: Reporters,
    resume: str,
) -> Path:
    """Return the folder of a search, doing only what is not done yet.

    It is complete unless another process leads the search: this one then helped, and returns when
    nothing is left to try.
    """
    require_optuna()
    place = open_workplace(search, workspace, progress, team.storage)
    known = (search, workspace, team.storage, place.folder)
    helping = partial(helpers, team.workers, help_search, *known)

    def lead(opened: Session) -> None:
        _prepare(place, opened)
        opened.stage("trials")
        total = len(place.parts) * search.settings.trials
        with counted(progress, place.folder.name, total, place.finished) as told, helping():
            work(place, told)
        Finish(place, workspace, reporters, resume, opened).run()

    def join() -> None:
        with helping():
            work(place, lambda: None)

    return take_part(place.folder, resume, progress, lead=lead, join=join)


def help_search(search: Search, workspace: Workspace, storage: str | None, folder: Path) -> None:
    """Try configurations of a search that another process leads in a folder.

    Nothing is done where this process has other code than the leader, and so another folder.
    """
    require_optuna()
    place = open_workplace(search, workspace, Progress(), storage)
    if place.folder == folder:
        work(place, lambda: None)


def _prepare(place: Workplace, opened: Session) -> None:
    """Write what the search is and comes from, and compute its columns before helpers start."""
    write_json(place.folder / "config.json", place.identity)
    write_json(
        place.folder / "provenance.json", provenance_of(place.bench.base).model_dump(mode="json")
    )
    opened.stage("features")
    place.bench.run(place.search.base)
