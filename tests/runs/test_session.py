from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from essay_scoring.core.errors import BusyError, EvidenceError, InputError, NotFiniteError
from essay_scoring.core.files import read_json, write_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.records.manifest import is_complete, require_intact, write_manifest
from essay_scoring.records.run_records import Failure
from essay_scoring.runs.session import Session, finish, read_status

RESUME = "essay-scoring cv x.toml"


def nothing(_: Session) -> None:
    """Leave the folder as it is."""


def raising(error: BaseException) -> Callable[[Session], None]:
    """Return work that fails."""

    def work(_: Session) -> None:
        raise error

    return work


def test_a_finished_session_is_complete_and_intact(tmp_path: Path) -> None:
    progress = Progress()

    def work(session: Session) -> None:
        session.stage("work")
        with progress.stage("folds", 2, "folds") as advance:
            advance(1)
            advance(1)

    finish(tmp_path, RESUME, progress, work, read=require_intact)
    assert is_complete(tmp_path)
    require_intact(tmp_path)
    status = read_status(tmp_path)
    assert status.state == "complete"
    assert status.progress is not None
    assert status.progress.done == 2
    assert "stage work" in (tmp_path / "run.log").read_text(encoding="utf-8")


def test_ctrl_c_leaves_interrupted_and_the_resume_command(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        finish(tmp_path, RESUME, Progress(), raising(KeyboardInterrupt()), read=require_intact)
    status = read_status(tmp_path)
    assert (status.state, status.said.resume) == ("interrupted", RESUME)
    assert not is_complete(tmp_path)


def test_an_expected_error_leaves_failed_with_its_message(tmp_path: Path) -> None:
    error = NotFiniteError("loss is not finite", where="fold 2")
    with pytest.raises(NotFiniteError):
        finish(tmp_path, RESUME, Progress(), raising(error), read=require_intact)
    assert read_status(tmp_path).failure == Failure(
        type="NotFiniteError", message="fold 2: loss is not finite"
    )


def test_an_unexpected_error_never_writes_its_message(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="secret"):
        finish(
            tmp_path,
            RESUME,
            Progress(),
            raising(ValueError("secret essay text")),
            read=require_intact,
        )
    failure = read_status(tmp_path).failure
    assert failure is not None
    assert failure.type == "ValueError"
    for path in tmp_path.iterdir():
        assert "secret" not in path.read_text(encoding="utf-8")


def test_a_second_process_is_refused_and_a_killed_one_is_told(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from essay_scoring.core.progress import Progress\n"
        "from essay_scoring.runs.session import finish\n"
        "work = lambda _: (print('held', flush=True), time.sleep(60))\n"
        "finish(pathlib.Path(sys.argv[1]), 'again', Progress(), work, read=str)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert read_status(tmp_path).state == "running"
        with pytest.raises(BusyError, match=str(holder.pid)):
            finish(
                tmp_path,
                RESUME,
                Progress(),
                raising(AssertionError("entered")),
                read=require_intact,
            )
        holder.kill()
    assert read_status(tmp_path).state == "killed"
    finish(tmp_path, RESUME, Progress(), nothing, read=require_intact)
    assert read_status(tmp_path).state == "complete"


def test_half_written_files_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    write_text(tmp_path / ".status.json.abc.json", "{")
    finish(tmp_path, RESUME, Progress(), nothing, read=require_intact)
    assert not (tmp_path / ".status.json.abc.json").exists()


def test_log_handlers_do_not_outlive_the_session(tmp_path: Path) -> None:
    before = list(logging.getLogger("essay_scoring").handlers)
    finish(tmp_path, RESUME, Progress(), nothing, read=require_intact)
    assert logging.getLogger("essay_scoring").handlers == before


@pytest.mark.parametrize("tamper", ["edit", "add", "remove"])
def test_tampering_with_a_finished_run_is_caught(tmp_path: Path, tamper: str) -> None:
    write_json(tmp_path / "artifacts" / "a.json", {"x": 1})
    write_manifest(tmp_path)
    require_intact(tmp_path)
    target = tmp_path / "artifacts" / "a.json"
    if tamper == "edit":
        write_json(target, {"x": 2})
    elif tamper == "add":
        write_json(tmp_path / "artifacts" / "b.json", {})
    else:
        target.unlink()
    with pytest.raises(EvidenceError):
        require_intact(tmp_path)


def test_an_unfinished_run_is_no_evidence(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not complete"):
        require_intact(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run folder"):
        read_status(tmp_path)
    assert not read_json_or_none(tmp_path / "status.json")


def read_json_or_none(path: Path) -> object:
    return read_json(path) if path.exists() else None


def test_a_finished_folder_is_verified_and_left_alone(tmp_path: Path) -> None:
    write_json(tmp_path / "artifacts" / "a.json", {"x": 1})
    finish(tmp_path, RESUME, Progress(), nothing, read=require_intact)
    finish(
        tmp_path, RESUME, Progress(), raising(AssertionError("worked again")), read=require_intact
    )
    write_json(tmp_path / "artifacts" / "a.json", {"x": 2})
    with pytest.raises(EvidenceError, match="changed since"):
        finish(tmp_path, RESUME, Progress(), nothing, read=require_intact)


def test_whether_a_folder_is_finished_is_asked_again_under_its_lock(tmp_path: Path) -> None:
    """A second process that waited for the lock finds the folder sealed, and does not enter it."""
    folder, entered = tmp_path / "run", threading.Event()

    def slow(_: Session) -> None:
        entered.set()
        time.sleep(0.3)

    first = threading.Thread(
        target=finish, args=(folder, RESUME, Progress(), slow), kwargs={"read": require_intact}
    )
    first.start()
    entered.wait()
    finish(
        folder,
        RESUME,
        Progress(),
        raising(AssertionError("entered a sealed folder")),
        read=require_intact,
    )
    first.join()
    require_intact(folder)


def test_a_folder_that_is_removed_meanwhile_is_not_sealed(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def work(session: Session) -> None:
        write_json(folder / "artifacts" / "a.json", {})
        shutil.rmtree(folder)
        write_json(folder / "artifacts" / "b.json", {})
        session.stage("next")

    with pytest.raises(EvidenceError, match="removed while"):
        finish(folder, RESUME, Progress(), work, read=require_intact)
    assert not is_complete(folder)
    assert not (folder / "status.json").exists()


def test_evidence_that_is_removed_meanwhile_is_missed(tmp_path: Path) -> None:
    def work(session: Session) -> None:
        write_json(tmp_path / "a.json", {})
        session.wrote(tmp_path / "a.json")
        (tmp_path / "a.json").unlink()

    with pytest.raises(EvidenceError, match="removed while"):
        finish(tmp_path, RESUME, Progress(), work, read=require_intact)
    assert not is_complete(tmp_path)


def test_evidence_that_is_changed_meanwhile_is_not_sealed(tmp_path: Path) -> None:
    """What work passes on in memory is what the seal will cover."""

    def work(session: Session) -> None:
        write_json(tmp_path / "a.json", {"x": 1})
        session.wrote(tmp_path / "a.json")
        write_json(tmp_path / "a.json", {"x": 2})

    with pytest.raises(EvidenceError, match="changed while"):
        finish(tmp_path, RESUME, Progress(), work, read=require_intact)
    assert not is_complete(tmp_path)


def test_work_is_done_again_where_what_stands_is_refused(tmp_path: Path) -> None:
    made: list[str] = []

    def work(_: Session) -> str:
        made.append("made")
        return "made"

    def refused(_: Path) -> None:
        """Find nothing of worth."""

    for _ in range(2):
        assert finish(tmp_path, RESUME, Progress(), work, read=refused) == "made"
    assert finish(tmp_path, RESUME, Progress(), work, read=lambda _: "read") == "read"
    assert len(made) == 2


def test_nobody_listens_after_a_session(tmp_path: Path) -> None:
    progress = Progress()
    for name in ("a", "b"):
        finish(tmp_path / name, RESUME, progress, nothing, read=require_intact)
    assert progress.listeners == []


def test_views_lie_outside_the_seal(tmp_path: Path) -> None:
    finish(tmp_path, RESUME, Progress(), nothing, read=require_intact)
    write_text(tmp_path / "views" / "report.html", "<p>again</p>")
    require_intact(tmp_path)
