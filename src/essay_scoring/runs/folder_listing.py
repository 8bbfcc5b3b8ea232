"""What lies in a runs folder and a models folder: every run, study, search and model, as it says.

Folders are read without their seals being verified, which their own pages and commands do. One that
cannot be read is listed as such, with the reason.
"""

from __future__ import annotations

import fnmatch
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from essay_scoring.core.errors import EssayScoringError, InputError
from essay_scoring.core.record import read_record
from essay_scoring.records.audit_record import AuditRecord, Verdict
from essay_scoring.records.finished_run import METRICS
from essay_scoring.records.listed import (
    FolderNote,
    Listed,
    ListedKind,
    ListedState,
    read_notes,
)
from essay_scoring.records.locked_test import FINAL_TEST, OPENING, FinalTest
from essay_scoring.records.manifest import is_complete
from essay_scoring.records.model_records import MODEL, ModelRecord
from essay_scoring.records.run_records import CvMetrics
from essay_scoring.records.search import RULES, SearchFolder
from essay_scoring.records.study_results import STUDY, StudyRecord
from essay_scoring.records.trait_results import TRAITS, TraitsRecord
from essay_scoring.runs.session import RunStanding, read_status, stated
from essay_scoring.statistics.summary import Summary

GROUPS: dict[str, ListedKind] = {"studies": "study", "traits": "traits", "searches": "search"}
"""The folders of a runs folder whose folders are no runs, and what is in them."""

_NO_RUNS = {*GROUPS, "audits", "cards"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListedFolder:
    """A folder of a runs folder or a models folder: what it is, and its path below that `root`."""

    kind: ListedKind
    root: Path
    folder: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.root / self.folder

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.name


@dataclass(frozen=True)
class Wanted:
    """Which folders are listed: of some kinds, states and tags, and of names like a pattern."""

    kinds: tuple[ListedKind, ...] = ()
    states: tuple[ListedState, ...] = ()
    tags: tuple[str, ...] = ()
    name: str | None = None

    def takes(self, entry: Listed) -> bool:
        """Tell whether an entry is one of them."""
        return (
            (not self.kinds or entry.kind in self.kinds)
            and (not self.states or entry.state in self.states)
            and {*self.tags} <= {*entry.tags}
            and (self.name is None or fnmatch.fnmatchcase(entry.name, _pattern(self.name)))
        )


def places(runs: Path, models: Path | None = None) -> Iterator[ListedFolder]:
    """Yield all folders of a runs folder, and of a models folder, in order of name."""
    for folder in _folders(runs):
        if folder.name not in _NO_RUNS and folder.resolve() != (models or runs).resolve():
            is_final = (folder / OPENING).is_file()
            yield ListedFolder("final-test" if is_final else "run", runs, folder.name)
    for group, kind in GROUPS.items():
        for folder in _folders(runs / group):
            yield ListedFolder(kind, runs, f"{group}/{folder.name}")
    for folder in _folders(models) if models is not None else ():
        yield ListedFolder("model", cast("Path", models), folder.name)


def listing(runs: Path, models: Path | None = None, wanted: Wanted | None = None) -> list[Listed]:
    """Return what lies in a runs folder and a models folder, the latest first."""
    wanted = wanted or Wanted()
    notes = {root: _notes(root) for root in (runs, models) if root is not None}
    entries = (
        listed(place, runs, notes[place.root].get(place.folder, FolderNote()))
        for place in places(runs, models)
    )
    taken = [entry for entry in entries if wanted.takes(entry)]
    return sorted(taken, key=lambda entry: (entry.date or "", entry.name), reverse=True)


def listed(place: ListedFolder, runs: Path, note: FolderNote) -> Listed:
    """Return what a folder says of itself, whatever state it is in."""
    entry = Listed(
        kind=place.kind,
        name=place.name,
        folder=place.folder,
        state="complete",
        bytes=size_of(place.path),
        tags=note.tags,
        note=note.note,
    )
    try:
        entry = _with_status(entry, place.path)
        return _read(entry, place, runs) if is_complete(place.path) else entry
    except (EssayScoringError, OSError) as error:
        return entry.model_copy(update={"state": "unreadable", "problem": _why(error)})


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("[!.]*") if path.is_dir())


def _pattern(name: str) -> str:
    """Return what matches a name: the pattern itself, or any name that holds the word."""
    return name if any(mark in name for mark in "*?[") else f"*{name}*"


def _notes(root: Path) -> dict[str, FolderNote]:
    try:
        return read_notes(root).folders
    except InputError as error:
        log.warning("tags and notes are left out: %s", error.line())
        return {}


def size_of(folder: Path) -> int:
    """Return the size of a folder's files; what goes away meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return total


def _why(error: EssayScoringError | OSError) -> str:
    if isinstance(error, EssayScoringError):
        return f"{Path(error.where).name}: {error.what}" if error.where else error.what
    return error.strerror or str(error)


def _with_status(entry: Listed, folder: Path) -> Listed:
    """Return an entry with its state and date; InputError where the folder does not say."""
    if is_complete(folder):
        status = stated(folder)
        return _updated(entry, date=None if status is None else status.finished)
    told = read_status(folder)
    failure = told.failure
    return _updated(
        entry,
        state=told.state,
        date=told.said.heartbeat,
        stage=_stage(told),
        problem=failure and f"{failure.type}: {failure.message}",
    )


def _stage(told: RunStanding) -> str:
    """Return the stage that a folder's work is in, with how much of it is done."""
    stage, progress = told.said.stage, told.progress
    if progress is None:
        return stage
    return f"{stage}, {progress.done}/{progress.total} {progress.unit}"


def _updated(entry: Listed, **changes: object) -> Listed:
    return entry.model_copy(update=changes)


def _figures(entry: Listed, summary: Summary) -> Listed:
    overall = summary.overall
    return _updated(entry, n=summary.n, qwk=overall.get("qwk"), mae=overall.get("mae"))


def _run(entry: Listed, folder: Path) -> Listed:
    metrics = read_record(CvMetrics, folder / METRICS)
    audit = _audited(folder.parent / "audits" / folder.name / "audit.json")
    named = _updated(entry, method=metrics.family, scheme=metrics.run.scheme, audit=audit)
    return _figures(named, metrics.summary)


def _audited(path: Path) -> str | None:
    """Return how many sections of an audit ended how, None where there is no audit to read."""
    try:
        sections = read_record(AuditRecord, path).sections
    except InputError:
        return None
    verdicts = Counter(section.verdict for section in sections)
    order: tuple[Verdict, ...] = ("fail", "undecided", "pass")
    return ", ".join(f"{verdicts[name]} {name}" for name in order if verdicts[name]) or None


def _final_test(entry: Listed, folder: Path) -> Listed:
    test = read_record(FinalTest, folder / FINAL_TEST)
    return _figures(_updated(entry, about=f"of {test.decided.run}"), test.decided.summary)


def _study(entry: Listed, folder: Path) -> Listed:
    study = read_record(StudyRecord, folder / STUDY)
    decided = next((run for run in study.runs if run.run == study.decided_run), None)
    return _updated(
        entry,
        date=entry.date or study.date,
        about=study.question,
        outcome=study.outcome,
        method=study.decided_arm,
        scheme=decided and decided.scheme,
        n=study.data.n,
        qwk=decided and decided.summary.overall.get("qwk"),
        mae=decided and decided.summary.overall.get("mae"),
    )


def _traits(entry: Listed, folder: Path) -> Listed:
    traits = read_record(TraitsRecord, folder / TRAITS)
    counted = Counter(study.outcome for study in traits.studies)
    outcomes = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counted.items()))
    return _updated(entry, about=traits.question, scheme=traits.scheme, outcome=outcomes)


def _search(entry: Listed, folder: Path) -> Listed:
    where = SearchFolder(folder)
    if not where.search.is_file():
        grid = where.read_sweep()
        return _updated(entry, about=f"grid by {grid.objective}", scheme=grid.scheme)
    search = where.read_search()
    entry = _updated(entry, about=search.objective, scheme=search.scheme)
    if search.nested is not None:
        return _figures(entry, search.nested.summary)
    figure = RULES[search.objective][0]
    best = None if search.selected is None else search.selected.figures.get(figure)
    kept = "nothing selected" if best is None else f"selected at {figure} {best:.3f}"
    return _updated(entry, outcome=kept)


def _model(entry: Listed, folder: Path, runs: Path) -> Listed:
    model = read_record(ModelRecord, folder / MODEL)
    entry = _updated(entry, method=model.family, n=model.n_essays, about=f"after {model.cv_run}")
    try:
        metrics = read_record(CvMetrics, runs / model.cv_run / METRICS)
    except InputError:  # Its run is elsewhere.
        return entry
    return _updated(_figures(entry, metrics.summary), scheme=metrics.run.scheme, n=model.n_essays)


_READERS: dict[ListedKind, Callable[[Listed, Path], Listed]] = {
    "run": _run,
    "final-test": _final_test,
    "study": _study,
    "traits": _traits,
    "search": _search,
}


def _read(entry: Listed, place: ListedFolder, runs: Path) -> Listed:
    """Return an entry with what the record of its folder says."""
    if place.kind == "model":
        return _model(entry, place.path, runs)
    return _READERS[place.kind](entry, place.path)


def of_kind(entries: Iterable[Listed], kind: ListedKind) -> list[Listed]:
    """Return the entries of one kind."""
    return [entry for entry in entries if entry.kind == kind]
