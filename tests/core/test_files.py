"""Files are whole or absent, as private as the umask asks, and what a kill left is removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import (
    atomic_path,
    read_json,
    read_text,
    remove_locked,
    try_lock,
    wait_lock,
    write_text,
)
from essay_scoring.core.settings import read_toml

KILLED = """
import os, signal, sys
from pathlib import Path
from essay_scoring.core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def private() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("private")
def test_the_umask_is_followed(tmp_path: Path) -> None:
    write_text(tmp_path / "folder" / "file", "x")
    assert (tmp_path / "folder" / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_left_is_removed_and_a_live_one_keeps_its_own(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "x.json")], check=False)
    assert dead.returncode == -signal.SIGKILL
    [stray] = tmp_path.iterdir()
    with atomic_path(tmp_path / "other.json") as mine:
        assert not stray.exists()
        write = "import sys; from pathlib import Path; from essay_scoring.core.files import *"
        words = f"{write}; write_text(Path(sys.argv[1]), 'y')"
        subprocess.run([sys.executable, "-c", words, str(tmp_path / "third")], check=True)
        assert mine.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"other.json", "third"}


def test_a_lock_that_its_holder_removed_is_held_by_one_of_those_who_waited(tmp_path: Path) -> None:
    lock = tmp_path / "work" / ".lock"
    at_once: list[int] = []
    inside = 0

    def enter() -> None:
        nonlocal inside
        with wait_lock(lock):
            inside += 1
            time.sleep(0.05)
            at_once.append(inside)
            inside -= 1
            remove_locked(lock.parent, lock)

    waiting = [threading.Thread(target=enter) for _ in range(4)]
    with wait_lock(lock):
        for thread in waiting:
            thread.start()
        time.sleep(0.2)
        remove_locked(lock.parent, lock)
    for thread in waiting:
        thread.join()
    assert at_once == [1, 1, 1, 1]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_written_can_be_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    path.touch()
    opened = Path.open

    def read_only(self: Path, mode: str = "r") -> object:
        if "a" in mode:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode)

    monkeypatch.setattr(Path, "open", read_only)
    with try_lock(path) as held:
        assert held
    with pytest.raises(PermissionError), try_lock(tmp_path / "none"):
        pass


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as full, atomic_path(tmp_path / "x.csv"):
        Path("/dev/full").write_text("x")
    assert full.value.filename == str(tmp_path / "x.csv")


DEEP = {"json": "[" * 90_000, "toml": "a = " + "[" * 90_000}
ODD = {
    "deep and open": DEEP,
    "deep": {kind: text + "]" * 90_000 for kind, text in DEEP.items()},
    "rather deep": {
        "json": "[" * 200 + "]" * 200,
        "toml": "a = " + "[" * 200 + "]" * 200,
    },
    "many digits": {"json": "9" * 10_000, "toml": f"a = {'9' * 10_000}"},
    "NUL": {"json": '{"a": "\0"}', "toml": 'a = "\0"'},
    "empty": {"json": "", "toml": "="},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["json", "toml"])
def test_what_cannot_be_used_is_one_line(odd: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"odd.{kind}"
    path.write_text(ODD[odd][kind], encoding="utf-8")
    with pytest.raises(InputError) as refused:
        (read_json if kind == "json" else read_toml)(path)
    assert str(path) in refused.value.line()
    assert len(refused.value.line()) < 400


def test_only_plain_files_of_a_sane_length_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    places = [tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "none", Path("a\0b")]
    for place in places:
        with pytest.raises(InputError):
            read_json(place)
    (tmp_path / "long").write_text(json.dumps("x" * 100))
    with pytest.raises(InputError, match="longer than"):
        read_text(tmp_path / "long", 100)
