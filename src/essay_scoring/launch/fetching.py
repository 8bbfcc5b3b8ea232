"""`remote fetch`: a run folder brought over whole and checked, or not at all."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from essay_scoring.core.errors import BusyError, EvidenceError, InputError
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.judging.evidence import RECEIPT
from essay_scoring.launch.launch_state import Observed, State, state_of
from essay_scoring.launch.remote import Remote
from essay_scoring.launch.study_order import GROUPS
from essay_scoring.launch.transport import exec_script
from essay_scoring.records.manifest import MANIFEST, is_complete, require_intact
from essay_scoring.records.search import SearchFolder, StabilityRow
from essay_scoring.records.study_results import StudyRun, read_study


def fetch(remote: Remote, runs: Path) -> Path:
    """Return the run folder below `runs`, as the host holds it and intact.

    Of a study or search it is that one's, below `runs`/studies or `runs`/searches, after all the
    runs that it rests on. Raises BusyError while the run goes on, EvidenceError for one that did
    not end well or whose copy is not what its manifest says. Nothing is left behind then.
    """
    for target in (runs / name for name in _names(remote)):
        if is_complete(target):
            require_intact(target)
            return target
    _require_free(runs / remote.run)
    seen = remote.observed()
    _require_success(remote, state_of(seen, remote.profile.where))
    name = _named(remote, seen)
    _require_free(runs / name)
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{remote.run}.", dir=runs) as partial:
        _fetch_folder(remote, name, Path(partial))
        wanted = _runs_of(Path(partial) / name, runs) if seen.steps else []
        for run in wanted:
            # What a search runs at its end is known only then.
            _fetch_folder(remote, run, Path(partial), launched=not _is_search(Path(name)))
        for folder in (*wanted, name):
            (runs / folder).parent.mkdir(exist_ok=True)
            (Path(partial) / folder).rename(runs / folder)
    return runs / name


def _names(remote: Remote) -> list[str]:
    """Return what the folder of a run, study or search of that name may be below the runs."""
    return [remote.run, *(f"{group}/{remote.run}" for group in GROUPS.values())]


def _is_search(folder: Path) -> bool:
    return folder.parent.name == GROUPS["search"]


def _named(remote: Remote, seen: Observed) -> str:
    """Return which folder below the host's runs is the finished one."""
    named = seen.facts.get("manifest", remote.run)
    if named not in _names(remote):
        raise EvidenceError(
            "the host names another folder", where=remote.run, mend="ask for its status"
        )
    return named


def _rests_on(folder: Path) -> Sequence[StudyRun | StabilityRow]:
    """Return the runs that a study or a search rests on."""
    if _is_search(folder):
        return SearchFolder(folder).read_search().stability
    return read_study(folder).runs


def _runs_of(folder: Path, runs: Path) -> list[str]:
    """Return the runs that a folder rests on and that are not here, none of another content."""
    wanted = []
    for run in _rests_on(folder):
        own = runs / run.run
        if not is_complete(own):
            _require_free(own)
            wanted.append(run.run)
        elif file_sha256(require_intact(own) / MANIFEST) != run.manifest_sha256:
            raise InputError(
                "the run that lies here is not the one that it rests on",
                where=str(own),
                mend="move it away",
            )
    return wanted


def _require_free(target: Path) -> None:
    if target.exists():
        raise InputError(
            "an unfinished run of that name lies here", where=str(target), mend="move it away"
        )


def _fetch_folder(remote: Remote, name: str, partial: Path, *, launched: bool = True) -> None:
    """Copy a folder below the host's runs; it must be intact and, `launched`, hold its receipt."""
    _copy(remote, name, partial)
    copied = require_intact(partial / name)
    if launched and not (copied / RECEIPT).is_file():
        raise EvidenceError(
            "the run holds no receipt", where=name, mend="launch it on the host again"
        )


def _require_success(remote: Remote, state: State) -> None:
    if not state.is_over:
        raise BusyError(
            f"the run is {state.line()}",
            where=remote.run,
            mend="wait for it with: essay-scoring remote logs --follow",
        )
    if state.word != "complete":
        raise EvidenceError(
            f"there is no finished run to fetch, it is {state.line()}",
            where=remote.run,
            mend="read its log with: essay-scoring remote logs",
        )


def _copy(remote: Remote, name: str, folder: Path) -> None:
    """Copy a folder below the host's runs into a folder here, as one stream of tar."""
    profile = remote.profile
    runs = profile.runs if profile.runs.startswith("/") else f"{profile.folder}/{profile.runs}"
    script = exec_script(profile.folder, ["tar", "-C", runs, "-cf", "-", "--", name], {})
    with tempfile.TemporaryFile(dir=folder) as stream:
        code = remote.transport.stream(script, stream)
        stream.seek(0)
        try:
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError):
            code = code or 1
    if code != 0 or not (folder / name / MANIFEST).is_file():
        shutil.rmtree(folder / name, ignore_errors=True)
        raise EvidenceError("the run was not copied whole", where=name, mend="fetch it again")
