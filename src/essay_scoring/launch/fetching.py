"""`remote fetch`: a run folder brought over whole and checked, or not at all."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from essay_scoring.core.errors import BusyError, EvidenceError, InputError
from essay_scoring.judging.evidence import RECEIPT
from essay_scoring.launch.remote import Remote
from essay_scoring.launch.transport import exec_script
from essay_scoring.records.manifest import MANIFEST, is_complete, require_intact


def fetch(remote: Remote, runs: Path) -> Path:
    """Return the run folder below `runs`, as the host holds it and intact.

    Raises BusyError while the run goes on, EvidenceError for one that did not end well or whose
    copy is not what its manifest says. Nothing is left behind then.
    """
    target = runs / remote.run
    if is_complete(target):
        require_intact(target)
        return target
    if target.exists():
        raise InputError(
            "an unfinished run of that name lies here", where=str(target), mend="move it away"
        )
    _require_success(remote)
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{remote.run}.", dir=runs) as partial:
        _copy(remote, Path(partial))
        copied = Path(partial) / remote.run
        require_intact(copied)
        if not (copied / RECEIPT).is_file():
            raise EvidenceError(
                "the run holds no receipt", where=remote.run, mend="launch it on the host again"
            )
        copied.rename(target)
    return target


def _require_success(remote: Remote) -> None:
    state = remote.state()
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


def _copy(remote: Remote, folder: Path) -> None:
    """Copy the run folder from the host into a folder here, as one stream of tar."""
    profile = remote.profile
    runs = profile.runs if profile.runs.startswith("/") else f"{profile.folder}/{profile.runs}"
    script = exec_script(profile.folder, ["tar", "-C", runs, "-cf", "-", "--", remote.run], {})
    with tempfile.TemporaryFile(dir=folder) as stream:
        code = remote.transport.stream(script, stream)
        stream.seek(0)
        try:
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError):
            code = code or 1
    if code != 0 or not (folder / remote.run / MANIFEST).is_file():
        shutil.rmtree(folder / remote.run, ignore_errors=True)
        raise EvidenceError("the run was not copied whole", where=remote.run, mend="fetch it again")
