from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from essay_scoring.core.files import read_json
from essay_scoring.records.manifest import is_complete, require_intact
from essay_scoring.runs.session import read_status
from tests.conftest import PATIENCE, told_by
from tests.search.killed_searches import KILLS_EACH, TRIALS
from tests.search.made import SMOKE_SEARCH

SEARCHES = 2


def start(runs: Path, cache: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the smoke search, flat, as one worker of its own."""
    program = "from essay_scoring.cli.main import main; main()"
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


def test_sigterm_leaves_interrupted_and_the_same_command_ends_it(
    tmp_path: Path, warm_cache: Path
) -> None:
    runs = tmp_path / "runs"
    more = ("--set", "trials=16", "--workers", "2")
    worker = start(runs, warm_cache, *more)
    wait_for_trials(runs, 3)
    os.kill(worker.pid, signal.SIGTERM)
    error = worker.communicate(timeout=PATIENCE)[1]
    assert worker.returncode == 143
    assert "To resume: essay-scoring optuna-sweep" in error
    assert "Traceback" not in error
    folder = only_folder(runs)
    assert read_status(folder)["state"] == "interrupted"
    assert not is_complete(folder)
    again = start(runs, warm_cache, *more)
    assert again.communicate(timeout=PATIENCE)[1].count("Traceback") == 0
    assert again.returncode == 0
    require_intact(folder)
    require_each_once(folder, 16)
