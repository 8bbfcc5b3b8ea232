"""Removing runs, studies, searches and models: what refers to them, and how they go at once.

A folder that a live process holds is never removed. One that a study, a model, an opening of a
locked test or the register of plans refers to is removed only where that is asked for. The list of
attempts refers to nothing: it outlives the runs that it refuses.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.errors import BusyError, EssayScoringError, InputError
from essay_scoring.core.files import try_lock
from essay_scoring.core.record import read_record
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.listed import NOTES, FolderNote, ListedKind, change_note
from essay_scoring.records.locked_test import OPENING, Opening, OpeningEntry
from essay_scoring.records.manifest import LOCK, is_complete
from essay_scoring.records.model_records import MODEL, ModelRecord
from essay_scoring.records.more_records import RegisterEntry
from essay_scoring.records.search import SearchFolder
from essay_scoring.records.study_results import STUDY, StudyRecord
from essay_scoring.records.trait_results import TRAITS, TraitsRecord
from essay_scoring.records.workspace import LOCKED_LEDGER, Workspace
from essay_scoring.runs.folder_listing import ListedFolder, places
from essay_scoring.runs.session import LOOK_SECONDS, remembered_data

_REMOVED = ".removed"
_OPENED = "the locked test, whose opening it records,"
_LAST_FIRST: tuple[ListedKind, ...] = ("traits", "study", "model", "final-test", "search", "run")
"""The order of removal: what refers to others goes before them."""


@dataclass(frozen=True)
class Reference:
    """That something refers to a folder, or may: `by` says what."""

    to: ListedFolder
    by: str


@dataclass(frozen=True)
class Removal:
    """The folders to remove from a workspace and a models folder, with what hangs on them."""

    space: Workspace
    models: Path
    targets: tuple[ListedFolder, ...]

    @property
    def beside(self) -> list[Path]:
        """Audits and cards of the targets, which go with them."""
        named = itertools.product(("audits", "cards"), self.targets)
        found = (self.space.runs / group / target.name for group, target in named)
        return [path for path in found if path.is_dir()]

    def references(self) -> list[Reference]:
        """Return what refers to the targets and is not removed with them."""
        kept = [one for one in places(self.space.runs, self.models) if one not in self.targets]
        wanted = {target.name: target for target in self.targets if target.kind != "model"}
        out = [Reference(one, _OPENED) for one in self.targets if one.kind == "final-test"]
        for place in kept:
            names = _named_by(place)
            out += [Reference(wanted[name], str(place.path)) for name in sorted(names & {*wanted})]
        ledgers = {self.space.register: _registered, **dict.fromkeys(self._ledgers(), _opened)}
        for path, read in ledgers.items():
            names = _in_ledger(path, read, wanted)
            out += [Reference(wanted[name], str(path)) for name in sorted(names)]
        return out

    def require_free(self) -> None:
        """Raise BusyError where a live process holds a target, or something that may rest on it."""
        for target in self.targets:
            if _is_held(target):
                raise _busy(target, "another process is at work in it")
        resting = (place for place in places(self.space.runs, self.models) if place.kind != "run")
        at_work = next((place for place in resting if _is_held(place)), None)
        for target in self.targets:
            if at_work is not None and target.kind not in ("model", "traits"):
                raise _busy(target, f"{at_work.folder} is being worked on, and may rest on it")

    def carry_out(self) -> None:
        """Remove the targets, each at once under its lock, and what was written down about them.

        Raises BusyError for one that another process came to hold meanwhile.
        """
        for target in sorted(self.targets, key=lambda one: _LAST_FIRST.index(one.kind)):
            with _held(target):
                _discard(target.path, target.root)
            shutil.rmtree(_locks_beside(target), ignore_errors=True)
            if (target.root / NOTES).is_file():
                change_note(target.root, target.folder, lambda _: FolderNote())
        for path in self.beside:
            _discard(path, self.space.runs)
        for root in {target.root for target in self.targets}:
            shutil.rmtree(root / _REMOVED, ignore_errors=True)

    def _ledgers(self) -> Iterator[Path]:
        """Yield the ledgers of locked tests that may name the targets."""
        yield self.space.ledger
        for target in self.targets:
            with contextlib.suppress(InputError):
                if data := remembered_data(target.path):
                    yield data / LOCKED_LEDGER


def found(name: str, runs: Path, models: Path) -> ListedFolder:
    """Return the folder of a name as `runs` lists it, or of its path; InputError for none."""
    every = list(places(runs, models))
    path = Path(name)
    alike = [
        place
        for place in every
        if name in (place.name, place.folder) or (path.is_dir() and path.samefile(place.path))
    ]
    if len(alike) == 1:
        return alike[0]
    if alike:
        paths = ", ".join(str(place.path) for place in alike)
        raise InputError("is the name of several folders", where=name, mend=f"name one: {paths}")
    near = [place.name for place in every if place.name.startswith(path.name)] if path.name else []
    mend = f"did you mean {near[0]}?" if near else "see: essay-scoring runs"
    raise InputError(f"nothing of this name in {runs} or {models}", where=name, mend=mend)


def _named_by(place: ListedFolder) -> set[str]:
    """Return the names of folders that a folder refers to; of an unreadable one any it mentions."""
    read = _REFERRING.get(place.kind)
    if read is None or not is_complete(place.path):
        return set()
    try:
        return {*read(place.path)}
    except EssayScoringError:
        return _mentioned(place)


def _mentioned(place: ListedFolder) -> set[str]:
    """Return the names of folders beside a folder that stand in its own, unreadable, record."""
    names = (STUDY, TRAITS, MODEL, OPENING, "artifacts/search.json")
    texts = [
        (place.path / name).read_text(encoding="utf-8", errors="replace")
        for name in names
        if (place.path / name).is_file()
    ]
    return {other.name for other in places(place.root) if any(other.name in x for x in texts)}


def _of_study(folder: Path) -> Iterator[str]:
    study = read_record(StudyRecord, folder / STUDY)
    yield from (run.run for run in study.runs)
    yield study.decided_run
    if study.tuning is not None:
        yield study.tuning.search


def _of_traits(folder: Path) -> Iterator[str]:
    yield from (one.study for one in read_record(TraitsRecord, folder / TRAITS).studies)


def _of_search(folder: Path) -> Iterator[str]:
    where = SearchFolder(folder)
    if where.search.is_file():
        yield from (row.run for row in where.read_search().stability)


def _of_opening(folder: Path) -> Iterator[str]:
    opening = read_record(Opening, folder / OPENING)
    yield from filter(None, (opening.run, opening.reference, opening.study))


def _of_model(folder: Path) -> Iterator[str]:
    yield read_record(ModelRecord, folder / MODEL).cv_run


_REFERRING: dict[ListedKind, Callable[[Path], Iterable[str]]] = {
    "study": _of_study,
    "traits": _of_traits,
    "search": _of_search,
    "final-test": _of_opening,
    "model": _of_model,
}


def _in_ledger(path: Path, read: Callable[[Path], set[str]], names: Iterable[str]) -> set[str]:
    """Return which names a ledger holds; all of them where it was tampered with."""
    try:
        return {*names} & read(path)
    except EssayScoringError:
        return {*names}


def _registered(path: Path) -> set[str]:
    return {name for entry in Ledger(path, RegisterEntry).entries() for name in entry.reference}


def _opened(path: Path) -> set[str]:
    entries = Ledger(path, OpeningEntry).entries()
    named = ((e.run, e.study, e.folder, e.reference) for e in entries)
    return {name for name in itertools.chain(*named) if name is not None}


def _locks(place: ListedFolder) -> list[Path]:
    """Return the lock files that processes at work in a folder may hold."""
    others = sorted(path for path in _locks_beside(place).rglob("*") if path.is_file())
    return [path for path in (place.path / LOCK, *others) if path.is_file()]


def _locks_beside(place: ListedFolder) -> Path:
    """Return where workers of a search hold locks."""
    return SearchFolder(place.path).locks


def _is_held(place: ListedFolder) -> bool:
    for path in _locks(place):
        with try_lock(path) as free:
            if not free:
                return True
    return False


@contextlib.contextmanager
def _held(place: ListedFolder) -> Iterator[None]:
    """Hold all locks of a folder, so that nobody else enters it before it is gone."""
    with contextlib.ExitStack() as held:
        if not place.path.is_symlink():
            for path in {place.path / LOCK, *_locks(place)}:
                if not held.enter_context(try_lock(path, patience=LOOK_SECONDS)):
                    raise _busy(place, "another process is at work in it")
        yield


def _busy(place: ListedFolder, what: str) -> BusyError:
    return BusyError(what, where=str(place.path), mend="wait for it, or end it")


def _discard(path: Path, root: Path) -> None:
    """Rename a folder away, so that it is gone at once, and delete it; of a link only the link."""
    away = root / _REMOVED / f"{path.name[:200]}.{secrets.token_hex(6)}"
    away.parent.mkdir(exist_ok=True)
    path.rename(away)
    if away.is_symlink():
        away.unlink()
    else:
        shutil.rmtree(away)
