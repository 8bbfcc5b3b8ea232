from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.hosts import SSHD, STUBS, Checkout, SshDaemon
from tests.launch.launches import run_here, transformer_config


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clean checkout that no test changes."""
    return Checkout.make(tmp_path_factory.mktemp("origin") / "checkout")


@pytest.fixture
def checkout(origin: Checkout, tmp_path: Path) -> Checkout:
    """A clean checkout of the test's own."""
    return origin.copy(tmp_path / "checkout")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stub that stands for docker; its container runs."""
    told = tmp_path / "docker"
    told.mkdir()
    (told / "running").touch()
    monkeypatch.setenv("STUB_DOCKER", str(told))
    monkeypatch.setenv("PATH", f"{STUBS}:{os.environ['PATH']}")
    return told


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SshDaemon]:
    """A running sshd of the test's own."""
    yield from running_sshd(tmp_path / "sshd")


@pytest.fixture(scope="module")
def shared_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshDaemon]:
    """A running sshd that the tests of a module share."""
    yield from running_sshd(tmp_path_factory.mktemp("shared") / "sshd")


def running_sshd(folder: Path) -> Iterator[SshDaemon]:
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("openssh-server is not installed")
    daemon = SshDaemon.make(folder, {})
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def trained_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small fine-tuning run, done by this process."""
    pytest.importorskip("torch", exc_type=ImportError)
    return run_here(transformer_config(), tmp_path_factory.mktemp("trained"))
