from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

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


def shards(store: FeatureStore) -> list[Path]:
    return sorted(store.root.glob("logged/*/*/*/*.safetensors"))


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
        "format": 3,
        "block": "logged",
        "of": {"version": 1},
        "columns": ["length", "prompt_length"],
    }
    held = {path for path in folder.rglob("[!.]*") if path.is_file()}
    assert held == {*shards(store), folder / "identity.json"}
    assert [path.parent.name for path in shards(store)] == ["00000", "00001", "00002"]


def test_another_identity_text_prompt_or_order_is_another_folder(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    essays = numbered_essays(4)
    read(store, block, 4)
    changed = [
        Essays(essays.ids, ("y", *essays.texts[1:]), essays.prompts),
        Essays(essays.ids, essays.texts, ("other", *essays.prompts[1:])),
        essays.take([1, 0, 2, 3]),
    ]
    for others in changed:
        store.columns(block, others, Progress())
    newer = LoggedBlock(tmp_path / "log", version=2)
    store.columns(newer, essays, Progress())
    assert len(shards(store)) == 5
    assert len(block.computed()) == 20


def test_ids_do_not_enter_the_key(store: FeatureStore, block: LoggedBlock) -> None:
    essays = numbered_essays(4)
    read(store, block, 4)
    renamed = Essays(("a", "b", "c", "d"), essays.texts, essays.prompts)
    store.columns(block, renamed, Progress())
    assert len(block.computed()) == 4


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


def damage_other_shard(path: Path) -> None:
    (other,) = path.parent.with_name("00001").glob("*.safetensors")
    path.write_bytes(other.read_bytes())


def damage_other_tensor(path: Path) -> None:
    save_file({"weights": np.zeros((SHARD_ESSAYS, 2), dtype=np.float32)}, path)


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_empty,
        damage_garbage,
        damage_one_bit,
        damage_other_shard,
        damage_other_tensor,
    ],
)
def test_a_damaged_or_foreign_shard_is_rebuilt_with_a_warning(
    store: FeatureStore,
    block: LoggedBlock,
    caplog: pytest.LogCaptureFixture,
    damage: object,
) -> None:
    read(store, block)
    assert callable(damage)
    damage(shards(store)[0])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read(store, block), EXPECTED)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "safetensors is damaged and is made again" in caplog.text
    assert block.computed()[N:] == list(numbered_essays(SHARD_ESSAYS).ids)
    read(store, block)
    assert len(block.computed()) == N + SHARD_ESSAYS


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
    assert len(shards(store)) == 2
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
    assert shards(store) == []


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
    # What a kill in the middle of writing leaves behind.
    (folder,) = store.root.glob("logged/*/*/00001")
    stray = folder / ".half.abc123.safetensors"
    stray.write_bytes(b"half a shard")
    np.testing.assert_array_equal(read(store, block), EXPECTED)
    assert block.computed()[before:] == list(numbered_essays(N).ids[SHARD_ESSAYS:])
    assert not stray.exists()
    assert len(shards(store)) == 3


def test_two_processes_compute_each_shard_exactly_once(
    store: FeatureStore, block: LoggedBlock, tmp_path: Path
) -> None:
    processes = [start(store, tmp_path / "log", 4 * N, 0.001) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(block.computed()) == sorted(numbered_essays(4 * N).ids)


def test_a_shard_in_other_hands_is_awaited_and_taken_over(
    store: FeatureStore, block: LoggedBlock
) -> None:
    read(store, block, 3)
    (shard,) = shards(store)
    shard.unlink()

    with try_lock(shard.with_name(".lock")) as mine:
        assert mine
        waiting = start(store, store.root.parent / "other", 3)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
    assert waiting.wait(PATIENCE) == 0
    assert shard.exists()
    assert LoggedBlock(store.root.parent / "other").computed() == ["id0", "id1", "id2"]
