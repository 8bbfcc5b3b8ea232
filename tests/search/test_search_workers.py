from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError, Interrupted
from essay_scoring.core.files import read_json
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.runs.session import read_status
from essay_scoring.search.search_workers import Task, helpers
from tests.conftest import PATIENCE, told_by
from tests.search.killed_searches import KILLS_EACH, TRIALS
from tests.search.made import SMOKE_SEARCH

SEARCHES = 2


def start(runs: Path, cache: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the smoke search, flat, as one worker of its own."""
    program = "from essay_scoring.cli.main import program; program()"
    folders = ["--runs-dir", str(runs), "--cache-dir", str(cache)]
    command = [sys.executable, "-c", program, "optuna-sweep", str(SMOKE_SEARCH), "--flat"]
    return subprocess.Popen(
        [*command, *folders, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def only_folder(runs: Path) -> Path:
    [folder] = (runs / "searches").glob("smoke-*")
    return folder


def wait_for_trials(runs: Path, least: int) -> None:
    """Return when so many trials are finished."""
    deadline = time.monotonic() + PATIENCE
    while len(list(runs.glob("searches/smoke-*/trials/all/*.json"))) < least:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def spawned_by(pid: int) -> list[int]:
    """Return the helpers that a process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [int(child) for child, command in commands.items() if b"spawn_main" in command]


def require_each_once(folder: Path, n: int) -> None:
    """Assert that n configurations were tried, each once."""
    rows = read_json(folder / "artifacts" / "optuna_trials.json")["parts"]["all"]
    ended = [row for row in rows if row["slot"] is not None and row["key"] is not None]
    assert sorted(row["slot"] for row in ended) == list(range(n))
    assert len({row["fingerprint"] for row in ended}) == n


def test_no_trial_is_lost_or_counted_twice_whenever_a_search_is_killed(
    tmp_path: Path, warm_cache: Path
) -> None:
    arguments = [str(tmp_path), str(warm_cache), str(SEARCHES)]
    outcome = told_by("tests.search.killed_searches", *arguments, timeout=500)
    assert outcome["cut_short"] >= SEARCHES * KILLS_EACH / 2
    assert [trial[0] for trial in outcome["expected"]["trials"]] == list(range(TRIALS))
    for ending in outcome["endings"]:
        assert sorted(ending["trials"]) == sorted(outcome["expected"]["trials"])
        assert ending["selected"] == outcome["expected"]["selected"]


def test_two_workers_finish_forty_trials_each_configuration_once(
    tmp_path: Path, warm_cache: Path
) -> None:
    runs = tmp_path / "runs"
    workers = [start(runs, warm_cache, "--set", "trials=40") for _ in range(2)]
    said = [worker.communicate(timeout=PATIENCE) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    folder = only_folder(runs)
    require_intact(folder)
    require_each_once(folder, 40)


def test_a_worker_that_joined_ends_the_search_when_its_leader_is_killed(
    tmp_path: Path, warm_cache: Path
) -> None:
    runs = tmp_path / "runs"
    leader = start(runs, warm_cache, "--set", "trials=16")
    wait_for_trials(runs, 2)
    joined = start(runs, warm_cache, "--set", "trials=16")
    wait_for_trials(runs, 6)
    os.kill(leader.pid, signal.SIGKILL)
    leader.communicate(timeout=PATIENCE)
    out, error = joined.communicate(timeout=PATIENCE)
    folder = only_folder(runs)
    # The joined worker may have been starting still; then it leads from the beginning.
    assert joined.returncode == 0, error
    require_intact(folder)
    require_each_once(folder, 16)
    assert "selected" in out


def refused(_folder: str) -> None:
    """What a helper does that meets a problem of its own."""
    raise InputError("not readable", where="cell 7", mend="read it")


def broken(folder: str) -> None:
    """What a helper does that has a fault; the message could hold essay text."""
    raise KeyError("an essay")


def killed(folder: str) -> None:
    """What a helper does that runs out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def orderly(folder: str) -> None:
    """What a helper does that ends as it should."""
    (Path(folder) / str(os.getpid())).touch()


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (refused, "cell 7: not readable. To mend: read it"),
        (broken, "KeyError at "),
        (killed, "it was ended from outside, or ran out of memory"),
    ],
)
def test_a_helper_that_ends_early_is_one_line_that_names_it(
    task: Task, line: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level("WARNING", "essay_scoring"), helpers(2, task, str(tmp_path)):
        pass
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith("worker 2 of the search stopped, the others go on: ")
    assert line in message
    assert "an essay" not in message


def test_helpers_that_end_as_they_should_say_nothing(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level("WARNING", "essay_scoring"), helpers(3, orderly, str(tmp_path)):
        pass
    assert len(list(tmp_path.iterdir())) == 2
    assert not caplog.records


def test_helpers_are_ended_and_not_reported_when_this_process_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = time.monotonic()
    with (
        caplog.at_level("WARNING", "essay_scoring"),
        pytest.raises(Interrupted),
        helpers(3, time.sleep, 600),
    ):
        raise Interrupted(signal.SIGTERM)
    assert time.monotonic() - began < PATIENCE
    alive = [process.name for process in multiprocessing.active_children()]
    assert not [name for name in alive if name.startswith("worker ")]
    assert not caplog.records


def test_a_search_ends_whole_when_a_helper_is_killed(tmp_path: Path, warm_cache: Path) -> None:
    runs = tmp_path / "runs"
    leader = start(runs, warm_cache, "--set", "trials=16", "--workers", "2")
    wait_for_trials(runs, 2)
    for helper in spawned_by(leader.pid):
        os.kill(helper, signal.SIGKILL)
    error = leader.communicate(timeout=PATIENCE)[1]
    assert leader.returncode == 0, error
    assert error.count("warning: worker 2 of the search stopped, the others go on") == 1
    folder = only_folder(runs)
    require_intact(folder)
    require_each_once(folder, 16)


def test_sigterm_leaves_interrupted_and_the_same_command_ends_it(
    tmp_path: Path, warm_cache: Path
) -> None:
    runs = tmp_path / "runs"
    more = ("--set", "trials=16", "--workers", "2")
    worker = start(runs, warm_cache, *more)
    wait_for_trials(runs, 3)
    spawned = spawned_by(worker.pid)
    assert len(spawned) == 1
    os.kill(worker.pid, signal.SIGTERM)
    error = worker.communicate(timeout=PATIENCE)[1]
    assert worker.returncode == 143, error
    assert not any(Path(f"/proc/{pid}").exists() for pid in spawned)
    assert "stopped" not in error
    assert "To resume: essay-scoring optuna-sweep" in error
    assert "Traceback" not in error
    folder = only_folder(runs)
    assert read_status(folder).state == "interrupted"
    assert not is_complete(folder)
    again = start(runs, warm_cache, *more)
    assert again.communicate(timeout=PATIENCE)[1].count("Traceback") == 0
    assert again.returncode == 0
    require_intact(folder)
    require_each_once(folder, 16)
