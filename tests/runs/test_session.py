from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.core.errors import BusyError, EvidenceError, InputError, NotFiniteError
from essay_scoring.core.files import read_json, write_json, write_text
from essay_scoring.core.progress import Progress
from essay_scoring.records.manifest import is_complete, require_intact, write_manifest
from essay_scoring.runs.session import read_status, session

RESUME = "essay-scoring cv x.toml"


def test_a_finished_session_is_complete_and_intact(tmp_path: Path) -> None:
    progress = Progress()
    with session(tmp_path, RESUME, progress) as opened:
        opened.stage("work")
        with progress.stage("folds", 2, "folds") as advance:
            advance(1)
            advance(1)
    assert is_complete(tmp_path)
    require_intact(tmp_path)
    status = read_status(tmp_path)
    assert status["state"] == "complete"
    assert status["progress"]["done"] == 2
    assert "stage work" in (tmp_path / "run.log").read_text(encoding="utf-8")


def test_ctrl_c_leaves_interrupted_and_the_resume_command(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), session(tmp_path, RESUME, Progress()):
        raise KeyboardInterrupt
    status = read_status(tmp_path)
    assert (status["state"], status["resume"]) == ("interrupted", RESUME)
    assert not is_complete(tmp_path)


def test_an_expected_error_leaves_failed_with_its_message(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError), session(tmp_path, RESUME, Progress()):
        raise NotFiniteError("loss is not finite", where="fold 2")
    assert read_status(tmp_path)["failure"] == {
        "type": "NotFiniteError",
        "message": "fold 2: loss is not finite",
    }


def test_an_unexpected_error_never_writes_its_message(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="secret"), session(tmp_path, RESUME, Progress()):
        raise ValueError("secret essay text")
    assert read_status(tmp_path)["failure"]["type"] == "ValueError"
    for path in tmp_path.iterdir():
        assert "secret" not in path.read_text(encoding="utf-8")


def test_a_second_process_is_refused_and_a_killed_one_is_told(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from essay_scoring.core.progress import Progress\n"
        "from essay_scoring.runs.session import session\n"
        "with session(pathlib.Path(sys.argv[1]), 'again', Progress()):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert read_status(tmp_path)["state"] == "running"
        with (
            pytest.raises(BusyError, match=str(holder.pid)),
            session(tmp_path, RESUME, Progress()),
        ):
            raise AssertionError("entered a held folder")
        holder.kill()
    assert read_status(tmp_path)["state"] == "killed"
    with session(tmp_path, RESUME, Progress()):
        pass
    assert read_status(tmp_path)["state"] == "complete"


def test_half_written_files_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    write_text(tmp_path / ".status.json.abc.json", "{")
    with session(tmp_path, RESUME, Progress()):
        pass
    assert not (tmp_path / ".status.json.abc.json").exists()


def test_log_handlers_do_not_outlive_the_session(tmp_path: Path) -> None:
    before = list(logging.getLogger("essay_scoring").handlers)
    with session(tmp_path, RESUME, Progress()):
        pass
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
