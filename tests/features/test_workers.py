from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.features import workers
from tests.features import worker_rows

ROOT = Path(__file__).parents[2]
TEXTS = ["x" * length for length in range(23)]


@pytest.fixture(autouse=True)
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(workers.WORKERS_VARIABLE, "2")
    workers.close_workers()
    yield
    workers.close_workers()


def test_rows_come_back_in_order() -> None:
    rows = workers.map_essays(worker_rows.lengths, TEXTS)
    assert rows[:, 0].tolist() == list(range(23))


def test_many_essays_leave_this_process_and_few_stay() -> None:
    ids = set(workers.map_essays(worker_rows.process_ids, TEXTS)[:, 0])
    assert float(np.float32(os.getpid())) not in ids
    few = workers.map_essays(worker_rows.process_ids, TEXTS[:3])
    assert set(few[:, 0]) == {np.float32(os.getpid())}


def test_parts_of_any_work_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [["x" * length] for length in range(5)]
    assert [rows[0, 0] for rows in workers.map_parts(worker_rows.lengths, parts)] == [0, 1, 2, 3, 4]
    away = {rows[0, 0] for rows in workers.map_parts(worker_rows.process_ids, parts)}
    assert np.float32(os.getpid()) not in away
    monkeypatch.setenv(workers.WORKERS_VARIABLE, "1")
    here = {rows[0, 0] for rows in workers.map_parts(worker_rows.process_ids, parts)}
    assert here == {np.float32(os.getpid())}


def test_one_worker_stays_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workers.WORKERS_VARIABLE, "1")
    ids = workers.map_essays(worker_rows.process_ids, TEXTS)
    assert set(ids[:, 0]) == {np.float32(os.getpid())}


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_workers_names_the_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workers.WORKERS_VARIABLE, value)
    with pytest.raises(InputError, match=workers.WORKERS_VARIABLE):
        workers.worker_count()


def test_the_cores_decide_where_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(workers.WORKERS_VARIABLE)
    assert workers.worker_count() == min(8, len(os.sched_getaffinity(0)))


def test_an_error_in_a_worker_arrives_and_leaves_the_workers_usable() -> None:
    with pytest.raises(InputError, match=r"no row for this.*do without"):
        workers.map_essays(worker_rows.refused, TEXTS)
    assert len(workers.map_essays(worker_rows.lengths, TEXTS)) == 23


def test_a_worker_that_dies_is_an_error_with_a_remedy_and_later_work_goes_on() -> None:
    with pytest.raises(InputError, match=workers.WORKERS_VARIABLE):
        workers.map_essays(worker_rows.death, TEXTS)
    assert len(workers.map_essays(worker_rows.lengths, TEXTS)) == 23


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent_however_it_ends(blow: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.features.worker_rows"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with program:
        assert program.stdout is not None
        ids = [int(word) for word in program.stdout.readline().split()]
        assert ids
        assert all(map(alive, ids))
        if blow == signal.SIGINT:
            # As a terminal does: the whole group is told.
            os.killpg(program.pid, blow)
        else:
            program.send_signal(blow)
        assert program.wait(timeout=30) != 0
    deadline = time.monotonic() + 30
    while any(map(alive, ids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, ids))


def alive(process: int) -> bool:
    """A process that has ended but whom nobody has yet asked about counts as ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in {"Z", "X"}
