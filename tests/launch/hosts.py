"""Hosts to launch on: a checkout of the project, and a real sshd on the loopback interface."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from essay_scoring.core.files import write_text
from essay_scoring.launch.profile import Profile
from tests.conftest import ROOT, await_that

STUBS = Path(__file__).parent / "stubs"
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
_ROUNDING = ("OPENBLAS_", "OMP_", "MKL_")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Checkout:
    """A clean git checkout of the project, as a host would hold it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Checkout:
        """Copy the project's code into a repository of its own and commit it."""
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".gitignore", folder)
        checkout = cls(folder)
        checkout.git("init", "--quiet")
        checkout.git("add", "--all")
        checkout.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all")
        return checkout

    def git(self, *arguments: str) -> None:
        """Run git in the checkout."""
        subprocess.run(["git", "-C", str(self.folder), *arguments], check=True)

    def copy(self, folder: Path) -> Checkout:
        """Return a copy that a test may spoil."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Checkout(folder)

    def environment(self, *before: Path) -> dict[str, str]:
        """Return what a host's interpreter needs to find the checkout and to round as we do."""
        rounding = {key: os.environ[key] for key in os.environ if key.startswith(_ROUNDING)}
        paths = [*before, self.folder / "src"]
        return {**rounding, "PYTHONPATH": ":".join(map(str, paths))}

    def profile(self, **changes: object) -> Profile:
        """Return a local profile of this checkout; it runs the interpreter of the tests."""
        values: dict[str, object] = {
            "backend": "local",
            "folder": str(self.folder),
            "python": sys.executable,
            "environment": self.environment(),
            "machine": {"free_disk_gib": 0.01},
            "heartbeat_seconds": 1,
        }
        return Profile.model_validate(values | changes)


@dataclass
class SshDaemon:
    """An sshd of the test's own: keys, known hosts and configuration lie in its folder."""

    folder: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, folder: Path, environment: Mapping[str, str]) -> SshDaemon:
        """Make keys and configuration; `environment` is what logins there get."""
        folder.mkdir(parents=True)
        daemon = cls(folder, free_port(), dict(environment))
        for key in ("host_key", "login_key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(command, check=True)
        shutil.copy(folder / "login_key.pub", folder / "authorized_keys")
        daemon.know("host_key")
        daemon.log_in_with("login_key")
        given = " ".join(f'"{key}={value}"' for key, value in environment.items())
        lines = [
            f"Port {daemon.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder / 'host_key'}",
            f"AuthorizedKeysFile {folder / 'authorized_keys'}",
            f"PidFile {folder / 'sshd.pid'}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "MaxStartups 100",
            *([f"SetEnv {given}"] if given else []),
        ]
        write_text(folder / "sshd_config", "\n".join(lines) + "\n")
        return daemon

    def know(self, key: str) -> None:
        """Put a host key into the known hosts, and no other."""
        kind, value = (self.folder / f"{key}.pub").read_text("utf-8").split()[:2]
        write_text(self.folder / "known_hosts", f"[127.0.0.1]:{self.port} {kind} {value}\n")

    def log_in_with(self, key: str) -> None:
        """Write the client's configuration, with a login key."""
        lines = [
            "Host elsewhere",
            "HostName 127.0.0.1",
            f"Port {self.port}",
            f"IdentityFile {self.folder / key}",
            "IdentitiesOnly yes",
            "IdentityAgent none",
            f"UserKnownHostsFile {self.folder / 'known_hosts'}",
            "GlobalKnownHostsFile /dev/null",
            "UpdateHostKeys no",
        ]
        write_text(self.folder / "ssh_config", "\n    ".join(lines) + "\n")

    def start(self) -> None:
        """Start the daemon and wait until it listens."""
        assert SSHD is not None
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        await_that(self._listens, 30)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the daemon; connections that are open go on."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def cut(self) -> None:
        """Cut every open connection, as when a laptop is closed."""
        assert self.process is not None
        for child in children_of(self.process.pid):
            os.kill(child, 9)

    @property
    def ssh(self) -> dict[str, object]:
        """The [ssh] table of a profile for this host."""
        return {"host": "elsewhere", "config": str(self.folder / "ssh_config")}


def children_of(pid: int) -> list[int]:
    """Return the processes started by a process."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text("ascii").split()]


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of live processes that name a folder: what a launch left running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        line = shlex.join(word.decode("utf-8", "replace") for word in words)
        if str(folder) in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found
