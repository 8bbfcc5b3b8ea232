from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core.contracts import Columns
from essay_scoring.core.essays import Essays
from essay_scoring.core.files import try_lock
from essay_scoring.core.progress import Progress, ProgressEvent
from essay_scoring.features.store import SHARD_ESSAYS, FeatureStore
from tests.conftest import PATIENCE, await_that
from tests.features.logged_block import LoggedBlock, numbered_essays

N = 2 * SHARD_ESSAYS + 10
EXPECTED = np.array([[i + 1, 2] for i in range(N)], dtype=np.float32)
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def block(tmp_path: Path) -> LoggedBlock:
    return LoggedBlock(tmp_path / "log")


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store")


def rows_of(store: FeatureStore) -> Path:
    (path,) = store.root.glob("logged/*/rows.bin")
    return path


def read(store: FeatureStore, block: LoggedBlock, n: int = N) -> np.ndarray:
    return store.columns(block, numbered_essays(n), Progress()).values


def test_a_second_read_computes_nothing_and_gives_the_same(
    store: FeatureStore, block: LoggedBlock
) -> None:
    np.testing.assert_array_equal(read(store, block), EXPECTED)
    assert block.computed() == list(numbered_essays(N).ids)
    np.testing.assert_array_equal(read(store, block), EXPECTED)
    assert len(block.computed()) == N


def test_the_folder_says_what_made_it_and_holds_nothing_else(
    store: FeatureStore, block: LoggedBlock
) -> None:
    read(store, block)
    (folder,) = (store.root / "logged").iterdir()
    described = json.loads((folder / "identity.json").read_text(encoding="utf-8"))
    assert described == {
        "format": 4,
        "block": "logged",
        "of": {"version": 1},
        "columns": ["length", "prompt_length"],
    }
    held = {path.name for path in folder.rglob("[!.]*") if path.is_file()}
    assert held == {"identity.json", "keys.bin", "rows.bin"}
    assert (folder / "keys.bin").stat().st_size == 16 * N
    assert (folder / "rows.bin").stat().st_size == (16 + 4 * 2) * N
    assert "xxxx" not in "".join(path.read_text("latin-1") for path in folder.iterdir())


def test_a_row_belongs_to_its_text_and_prompt_and_to_no_corpus(
    store: FeatureStore, block: LoggedBlock
) -> None:
    essays = numbered_essays(N)
    read(store, block)
    # Another order, fewer essays, other ids, and one essay more in the middle.
    added = Essays(("new",), ("y",), ("p0",))
    rows = np.random.default_rng(0).permutation(N)[: N - 20]
    some = [essays.take(rows[:70]), added, essays.take(rows[70:])]
    corpus = Essays(
        tuple(f"other{number}" for number in range(len(rows) + 1)),
        tuple(text for part in some for text in part.texts),
        tuple(prompt for part in some for prompt in part.prompts),
    )
    values = store.columns(block, corpus, Progress()).values
    assert block.computed()[N:] == ["other70"]
    expected = np.insert(EXPECTED[rows], 70, [[1, 2]], axis=0)
    np.testing.assert_array_equal(values, expected)


def test_a_prompt_is_part_of_the_key_where_the_block_reads_it(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    essays = numbered_essays(4)
    others = Essays(essays.ids, essays.texts, ("other prompt",) * 4)
    blind = LoggedBlock(tmp_path / "blind", version=2)
    blind.reads_prompt = False
    for each in (block, blind):
        store.columns(each, essays, Progress())
    assert store.columns(block, others, Progress()).values[:, 1].tolist() == [12] * 4
    store.columns(blind, others, Progress())
    assert (len(block.computed()), len(blind.computed())) == (8, 4)


def test_another_identity_is_another_folder(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    read(store, block, 4)
    read(store, LoggedBlock(tmp_path / "log", version=2), 4)
    assert len(list((store.root / "logged").iterdir())) == 2
    assert len(block.computed()) == 8


def test_equal_essays_of_a_corpus_are_computed_once(
    store: FeatureStore, block: LoggedBlock
) -> None:
    twice = numbered_essays(5).take([0, 1, 2, 1, 4, 0])
    values = store.columns(block, twice, Progress()).values
    assert values[:, 0].tolist() == [1, 2, 3, 2, 5, 1]
    assert block.computed() == ["id0", "id1", "id2", "id4"]


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"not a shard at all" * 20)


def damage_one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(bytes(data))


def damage_other_identity(path: Path) -> None:
    other = LoggedBlock(path.parents[3] / "log", version=2)
    FeatureStore(path.parents[2]).columns(other, numbered_essays(N), Progress())
    (rows,) = {*path.parents[1].glob("*/rows.bin")} - {path}
    path.write_bytes(rows.read_bytes())
    other._log.unlink()


def damage_order(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[24:48] + data[:24] + data[48:])


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_empty,
        damage_garbage,
        damage_one_bit,
        damage_other_identity,
        damage_order,
    ],
)
def test_damaged_or_foreign_rows_are_made_again_in_their_place_with_a_warning(
    store: FeatureStore,
    block: LoggedBlock,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    read(store, block)
    path, size = rows_of(store), rows_of(store).stat().st_size
    block.forget()
    damage(path)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read(FeatureStore(store.root), block), EXPECTED)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "rows.bin" in caplog.text
    assert "damaged and are made again" in caplog.text
    again = len(block.computed())
    assert 0 < again <= N
    np.testing.assert_array_equal(read(FeatureStore(store.root), block), EXPECTED)
    assert len(block.computed()) == again
    assert path.stat().st_size == size


@pytest.mark.parametrize("garbage", [b"", b"\x00" * 7, b"no keys at all"])
def test_lost_keys_cost_no_more_than_their_rows(
    store: FeatureStore, block: LoggedBlock, garbage: bytes
) -> None:
    read(store, block)
    rows_of(store).with_name("keys.bin").write_bytes(garbage)
    np.testing.assert_array_equal(read(FeatureStore(store.root), block), EXPECTED)
    np.testing.assert_array_equal(read(FeatureStore(store.root), block), EXPECTED)
    assert len(block.computed()) == 2 * N


def test_a_folder_that_cannot_be_written_is_read_and_added_to_in_memory(
    store: FeatureStore, block: LoggedBlock
) -> None:
    read(store, block, 10)
    folder = rows_of(store).parent
    with read_only(folder):
        np.testing.assert_array_equal(read(FeatureStore(store.root), block, 12), EXPECTED[:12])
    assert block.computed()[10:] == ["id10", "id11"]
    assert rows_of(store).stat().st_size == 24 * 10


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write into a folder: by a mount for root, who may otherwise."""
    if os.geteuid():
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    mount = ["mount", "--bind", "-o", "ro", str(folder), str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("root may write everywhere, and may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_failure_midway_keeps_the_shards_before_it(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    class Breaking(LoggedBlock):
        def columns(self, essays: Essays) -> Columns:
            if "id130" in essays.ids:
                raise RuntimeError("the checker died")
            return super().columns(essays)

    with pytest.raises(RuntimeError, match="the checker died"):
        read(store, Breaking(tmp_path / "log"))
    assert len(block.computed()) == 2 * SHARD_ESSAYS
    np.testing.assert_array_equal(read(store, block), EXPECTED)
    assert sorted(block.computed()) == sorted(numbered_essays(N).ids)


def test_a_block_that_breaks_its_announcement_is_refused(
    store: FeatureStore, tmp_path: Path
) -> None:
    class Short(LoggedBlock):
        def columns(self, essays: Essays) -> Columns:
            return super().columns(essays.take(range(len(essays) - 1)))

    with pytest.raises(ValueError, match="other than it announced"):
        read(store, Short(tmp_path / "log"), 3)
    assert not [*store.root.rglob("*.bin")]


def test_no_essays_give_no_rows(store: FeatureStore, block: LoggedBlock) -> None:
    assert read(store, block, 0).shape == (0, 2)


def test_undefined_values_survive(store: FeatureStore, tmp_path: Path) -> None:
    class Undefined(LoggedBlock):
        def columns(self, essays: Essays) -> Columns:
            return Columns(self.column_names, np.full((len(essays), 2), np.nan, dtype=np.float32))

    undefined = Undefined(tmp_path / "log")
    for _ in range(2):
        assert np.isnan(read(store, undefined, 3)).all()


def test_progress_counts_every_essay_once(store: FeatureStore, block: LoggedBlock) -> None:
    events: list[ProgressEvent] = []
    store.columns(block, numbered_essays(N), Progress(events.append))
    assert [event.done for event in events] == [0, SHARD_ESSAYS, 2 * SHARD_ESSAYS, N]
    assert {event.total for event in events} == {N}


def start(
    store: FeatureStore, log: Path, n: int, delay: float = 0.0, stop_at: str = ""
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.features.logged_block"]
    command += [str(store.root), str(log), str(n), str(delay), stop_at]
    return subprocess.Popen(command, cwd=REPOSITORY)


def test_a_killed_process_loses_only_the_shard_in_work(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    process = start(store, tmp_path / "log", N, stop_at=f"id{SHARD_ESSAYS + 5}")
    await_that(lambda: len(block.computed()) > SHARD_ESSAYS + 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(block.computed())
    assert before == SHARD_ESSAYS + 6
    # What a kill in the middle of writing leaves behind: rows without keys, and half a key.
    for name in ("rows.bin", "keys.bin"):
        with rows_of(store).with_name(name).open("ab") as stream:
            stream.write(b"half")
    np.testing.assert_array_equal(read(store, block), EXPECTED)
    assert block.computed()[before:] == list(numbered_essays(N).ids[SHARD_ESSAYS:])
    assert rows_of(store).with_name("keys.bin").stat().st_size == 16 * N
    np.testing.assert_array_equal(read(FeatureStore(store.root), block), EXPECTED)


def test_two_processes_compute_each_shard_exactly_once(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    processes = [start(store, tmp_path / "log", 4 * N, 0.001) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(block.computed()) == sorted(numbered_essays(4 * N).ids)


def test_essays_in_other_hands_are_awaited_and_taken_over(
    store: FeatureStore, block: LoggedBlock
) -> None:
    read(store, block, 3)
    (lock,) = store.root.glob("logged/*/.lock-*")
    rows_of(store).with_name("keys.bin").unlink()
    with try_lock(lock) as mine:
        assert mine
        waiting = start(store, store.root.parent / "other", 3)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
    assert waiting.wait(PATIENCE) == 0
    assert LoggedBlock(store.root.parent / "other").computed() == ["id0", "id1", "id2"]
