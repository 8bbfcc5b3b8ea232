from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

from essay_scoring.core import worker_pool
from essay_scoring.core.errors import InputError, MissingExtraError
from tests.conftest import PATIENCE, await_that
from tests.core import worker_rows

ROOT = Path(__file__).parents[2]
TEXTS = ["x" * length for length in range(23)]


@pytest.fixture(autouse=True)
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(worker_pool.WORKERS_VARIABLE, "2")
    worker_pool.close_workers()
    yield
    worker_pool.close_workers()


def test_parts_of_any_work_come_back_in_order_from_other_processes() -> None:
    assert [*worker_pool.map_parts(len, TEXTS)] == [*range(23)]
    ids = {*worker_pool.map_parts(worker_rows.process_id, TEXTS)}
    assert len(ids) == 2
    assert os.getpid() not in ids


def test_one_worker_or_one_part_stays_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [*worker_pool.map_parts(worker_rows.process_id, ["text"])] == [os.getpid()]
    monkeypatch.setenv(worker_pool.WORKERS_VARIABLE, "1")
    assert {*worker_pool.map_parts(worker_rows.process_id, TEXTS)} == {os.getpid()}


def test_parts_are_taken_only_a_few_ahead_of_those_that_are_done() -> None:
    taken: list[int] = []
    pool = worker_pool.WorkerPool(lambda: 2, "none")

    def parts() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = pool.results(abs, parts())
    assert next(results) == 0
    assert len(taken) == 7
    results.close()  # type: ignore[attr-defined]
    assert len(taken) == 7


def test_new_processes_take_over_after_so_many_parts() -> None:
    pool = worker_pool.WorkerPool(lambda: 1, "none", renewed_after=3)
    ids = [*pool.results(worker_rows.process_id, TEXTS[:7])]
    pool.close()
    assert [len({*ids[at : at + 3]}) for at in (0, 3, 6)] == [1, 1, 1]
    assert len({*ids}) == 3


def test_workers_start_none_of_their_own() -> None:
    assert {*worker_pool.map_parts(worker_rows.workers_within, TEXTS)} == {1}


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_workers_names_the_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker_pool.WORKERS_VARIABLE, value)
    with pytest.raises(InputError, match=worker_pool.WORKERS_VARIABLE):
        worker_pool.worker_count()


def test_the_cores_decide_where_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(worker_pool.WORKERS_VARIABLE)
    assert worker_pool.worker_count() == min(8, len(os.sched_getaffinity(0)))


def test_an_error_in_a_worker_arrives_and_leaves_the_workers_usable() -> None:
    with pytest.raises(InputError, match=r"no row for this.*do without"):
        [*worker_pool.map_parts(worker_rows.refused, TEXTS)]
    with pytest.raises(MissingExtraError, match="some-package"):
        [*worker_pool.map_parts(worker_rows.lacking, TEXTS)]
    assert [*worker_pool.map_parts(len, TEXTS)] == [*range(23)]


def test_a_worker_that_dies_is_an_error_with_a_remedy_and_later_work_goes_on() -> None:
    with pytest.raises(InputError, match=worker_pool.WORKERS_VARIABLE):
        [*worker_pool.map_parts(worker_rows.death, TEXTS)]
    assert [*worker_pool.map_parts(len, TEXTS)] == [*range(23)]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent_however_it_ends(blow: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", "from tests.core import worker_rows; worker_rows.main()"],
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
        assert program.wait(timeout=PATIENCE) != 0
    await_that(lambda: not any(map(alive, ids)))


def alive(process: int) -> bool:
    """A process that has ended but whom nobody has yet asked about counts as ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in {"Z", "X"}


INTERRUPTED = """
import signal, sys, time
from essay_scoring.core import interrupts
from essay_scoring.core.worker_pool import map_parts
signal.signal(signal.SIGTERM, lambda number, _: interrupts.stop(number))
print("ready", flush=True)
print(list(map_parts(time.sleep, [600.0] * 8)))
"""


def test_an_interrupt_does_not_wait_for_what_workers_are_at(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    words, streams = [sys.executable, str(script)], subprocess.PIPE
    with subprocess.Popen(words, stdout=streams, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1.5)
        process.terminate()
        assert process.wait(timeout=60) != 0


UNGUARDED = """
from essay_scoring.core.worker_pool import map_parts
print("this script runs once", flush=True)
print(*map_parts(len, ["x", "xx", "xxx"]))
"""


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout == "this script runs once\n1 2 3\n"
    assert done.stderr == ""


def test_a_worker_of_joblib_does_its_work_itself() -> None:
    """As scikit-learn has estimators fitted with `n_jobs`, which share the cores already."""
    work = joblib.delayed(worker_rows.shared_out)
    results = joblib.Parallel(n_jobs=2)(work(text) for text in ("x", "xx"))
    assert results == [(1, [1, 1]), (1, [2, 2])]


def test_an_interruption_leaves_nothing_of_the_pool_to_be_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Parts that were cancelled, and whose workers then ended, made the pool's thread fail."""
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    pool = worker_pool.WorkerPool(lambda: 2, "start it again")
    before = set(threading.enumerate())
    results = pool.results(time.sleep, [0.0, *[30.0] * 10])
    next(results)
    begun = set(threading.enumerate()) - before
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    for thread in begun:
        thread.join(20)
    assert not failed
