"""The driver alone: whatever becomes of the command, how it ended is told afterwards."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT, await_that
from tests.launch.hosts import STUBS, processes_in

DRIVE = ROOT / "src" / "essay_scoring" / "launch" / "drive.sh"


def drive(
    place: Path, code: str, *arguments: str, limit: int = 600, entry: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a driver of a Python program."""
    words = [str(place), str(place), str(limit), "1", str(len(entry)), *entry]
    program = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(["bash", str(DRIVE), *words, *program])


def recorded(place: Path, name: str) -> str | None:
    path = place / name
    return path.read_text("utf-8").strip() if path.exists() else None


WAITS = (
    "import sys, time, pathlib; pathlib.Path(sys.argv[1]).touch(); print('here'); time.sleep(600)"
)
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"


@pytest.mark.parametrize("code", [0, 1, 7, 143])
def test_an_exit_code_is_recorded(tmp_path: Path, code: int) -> None:
    process = drive(tmp_path, f"print('said'); raise SystemExit({code})")
    assert process.wait(timeout=PATIENCE) == code
    assert recorded(tmp_path, "exit_code") == str(code)
    assert recorded(tmp_path, "reason") is None
    assert "said" in (recorded(tmp_path, "driver.log") or "")


def test_a_command_that_is_killed_leaves_its_code(tmp_path: Path) -> None:
    process = drive(tmp_path, WAITS, str(tmp_path / "up"))
    await_that((tmp_path / "up").exists)
    os.kill(int(recorded(tmp_path, "pid") or ""), signal.SIGKILL)
    assert process.wait(timeout=PATIENCE) == 137
    assert recorded(tmp_path, "exit_code") == "137"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "terminated"),
        (signal.SIGINT, "interrupted"),
        (signal.SIGHUP, "its session was closed"),
    ],
)
def test_a_signal_ends_the_command_and_is_remembered(
    tmp_path: Path, number: signal.Signals, reason: str
) -> None:
    process = drive(tmp_path, WAITS, str(tmp_path / "up"))
    await_that((tmp_path / "up").exists)
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == 143
    assert recorded(tmp_path, "reason") == reason
    assert recorded(tmp_path, "exit_code") == "143"
    await_that(lambda: not processes_in(tmp_path))


def test_the_time_limit_ends_the_command_and_says_so(tmp_path: Path) -> None:
    process = drive(tmp_path, WAITS, str(tmp_path / "up"), limit=1)
    assert process.wait(timeout=PATIENCE) == 143
    assert recorded(tmp_path, "reason") == "time limit of 1 s"


@pytest.mark.slow
def test_a_command_that_will_not_end_is_killed(tmp_path: Path) -> None:
    process = drive(tmp_path, STUBBORN, str(tmp_path / "up"))
    await_that((tmp_path / "up").exists)
    process.terminate()
    assert process.wait(timeout=PATIENCE) == 137
    assert recorded(tmp_path, "reason") == "terminated"


def test_the_heart_beats_while_the_command_works(tmp_path: Path) -> None:
    process = drive(tmp_path, WAITS, str(tmp_path / "up"))
    await_that(lambda: recorded(tmp_path, "heartbeat"))
    first = int(recorded(tmp_path, "heartbeat") or "")
    await_that(lambda: int(recorded(tmp_path, "heartbeat") or "") > first)
    process.terminate()
    process.wait(timeout=PATIENCE)


def test_a_second_driver_leaves_the_first_alone(tmp_path: Path) -> None:
    first = drive(tmp_path, WAITS, str(tmp_path / "up"))
    await_that((tmp_path / "up").exists)
    assert drive(tmp_path, "print('no')").wait(timeout=PATIENCE) == 5
    assert recorded(tmp_path, "exit_code") is None
    first.terminate()
    assert first.wait(timeout=PATIENCE) == 143


def test_a_driver_outlasts_a_look_at_its_lock(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = drive(tmp_path, "print('yes')")
        await_that((tmp_path / "driver.log").exists)
    assert process.wait(timeout=PATIENCE) == 0


def test_a_task_of_an_array_works_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    process = drive(tmp_path, "import sys; print(sys.argv[1:])", "config.json")
    assert process.wait(timeout=PATIENCE) == 0
    assert "['config.json', '--part', '3']" in (recorded(tmp_path / "3", "driver.log") or "")
    assert recorded(tmp_path / "3", "exit_code") == "0"


def test_signals_reach_a_command_inside_a_container(tmp_path: Path, docker: Path) -> None:
    entry = [str(STUBS / "docker"), "exec", "--interactive", "--workdir", str(tmp_path), "training"]
    process = drive(tmp_path, WAITS, str(tmp_path / "up"), entry=entry)
    await_that((tmp_path / "up").exists)
    process.terminate()
    assert process.wait(timeout=PATIENCE) == 143
    assert recorded(tmp_path, "exit_code") == "143"


def test_arguments_reach_the_command_untouched(tmp_path: Path) -> None:
    hostile = ["a b", "$(id)", "'", '"', "\n", "*", "--", "", "-x"]
    code = f"import sys; raise SystemExit(sys.argv[1:] != {hostile!r})"
    assert drive(tmp_path, code, *hostile).wait(timeout=PATIENCE) == 0


def test_an_end_that_meets_a_heartbeat_is_not_forgotten(tmp_path: Path) -> None:
    for number in range(25):
        place = tmp_path / str(number)
        words = [str(place), str(place), "600", "600", "0", "sh", "-c", "sleep 0.05; exit 7"]
        process = subprocess.Popen(["bash", str(DRIVE), *words])
        await_that((place / "pid").exists)
        # What the heart does once in some seconds, at every moment that there is; but a busy
        # machine may take longer over one beat than lies between these, and must come to its end.
        for _ in range(40):
            if process.poll() is None:
                process.send_signal(signal.SIGUSR1)
                time.sleep(0.01)
        assert process.wait(PATIENCE) == 7
        assert recorded(place, "exit_code") == "7"
