"""Getting a script or a command onto the host, with nothing lost or changed on the way.

Every script travels on standard input to `bash -s`: what the login shell sees are words that no
shell treats specially.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from essay_scoring.core.errors import InputError
from essay_scoring.launch.profile import Profile, SshSettings

_PLAIN = re.compile(r"^[A-Za-z0-9_.,/=+:@-]+$")
_SSH_FAILED = 255
_TIMED_OUT = (124, 137)
_LOST = re.compile(r"[Hh]ost key verification failed|[Pp]ermission denied|[Cc]onnection|resolve")
_HOST_KEY = re.compile(r"Server host key: (\S+ SHA256:\S+)")


class UnreachableError(InputError):
    """The host, or its scheduler, does not answer now; asking again may help."""


@dataclass(frozen=True)
class Done:
    """How a script on the host ended. `host_key` is the key that the host proved to hold."""

    code: int
    out: str
    err: str
    host_key: str | None = None

    @property
    def last_words(self) -> str:
        """The last line of the error output, or ''."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


class Transport(Protocol):
    """A way to run scripts on a host."""

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the local command line that runs plain words on the host."""

    def script(self, script: str, *arguments: str, seconds: float = 120) -> Done:
        """Run a bash script there, on its standard input; UnreachableError if the host is not.

        It is ended there, and UnreachableError raised, after `seconds`.
        """

    def stream(self, script: str, out: IO[bytes] | int | None = None) -> int:
        """Run a bash script there to its end, its output going to `out`; return its exit code."""


def transport_of(profile: Profile) -> Transport:
    """Return the way to a profile's host."""
    return LocalTransport() if profile.ssh is None else SshTransport(profile.ssh)


class LocalTransport:
    """The machine that the launch is typed on."""

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the words as they are."""
        return list(words)

    def script(self, script: str, *arguments: str, seconds: float = 120) -> Done:
        """Run a bash script."""
        done = _run(self.command(bash(arguments, seconds)), script, seconds)
        if done.code in _TIMED_OUT:
            raise _too_slow("this machine", seconds)
        return done

    def stream(self, script: str, out: IO[bytes] | int | None = None) -> int:
        """Run a bash script, its output going to `out`."""
        return _stream(self.command(bash()), script, out)


class SshTransport:
    """OpenSSH without questions: an unknown host key or a missing login key is a failure."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the ssh command line; words that a login shell could change are refused."""
        if odd := [word for word in words if not _PLAIN.match(word)]:
            raise ValueError(f"not a plain word: {odd[0]!r}")
        ssh = self._settings
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": str(ssh.connect_seconds),
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
        }
        given = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        config = ["-F", ssh.config] if ssh.config else []
        return ["ssh", "-T", *config, *given, "--", ssh.host, *words]

    def script(self, script: str, *arguments: str, seconds: float = 120) -> Done:
        """Run a bash script on the host."""
        host = self._settings.host
        command = self.command(bash(arguments, seconds))
        # One level of -v tells the key that the host proved to hold.
        command.insert(1, "-v")
        done = _run(command, script, seconds + self._settings.connect_seconds + 60)
        found = _HOST_KEY.search(done.err)
        said = "\n".join(line for line in done.err.splitlines() if not _is_chatter(line))
        done = Done(done.code, done.out, said, found[1] if found else None)
        if done.code == _SSH_FAILED:
            raise UnreachableError(
                f"ssh cannot reach the host: {_reason(done)}", where=host, mend=_mend(done, host)
            )
        if done.code in _TIMED_OUT:
            raise _too_slow(host, seconds)
        return done

    def stream(self, script: str, out: IO[bytes] | int | None = None) -> int:
        """Run a bash script on the host, its output going to `out`."""
        return _stream(self.command(bash()), script, out)


def bash(arguments: Sequence[str] = (), seconds: float | None = None) -> list[str]:
    """Return the words that run a script from standard input, ended after `seconds`."""
    limit = [] if seconds is None else ["timeout", "-k", "10", f"{seconds:g}"]
    return [*limit, "bash", "-s", *(["--", *arguments] if arguments else [])]


def exec_script(folder: str, argv: Sequence[str], environment: dict[str, str]) -> str:
    """Return a bash script that becomes `argv`, every argument byte for byte, in a folder."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    change = f"cd -- {shlex.quote(folder)} || exit 2"
    return "\n".join([*lines, change, f"exec -- {shlex.join(argv)} </dev/null", ""])


def _run(command: list[str], script: str, seconds: float) -> Done:
    """Run a local command with a script on its standard input."""
    try:
        done = subprocess.run(
            command,
            input=script.encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=False,
            timeout=seconds + 30,
        )
    except FileNotFoundError:
        raise InputError(f"'{command[0]}' is not installed here", mend="install it") from None
    except subprocess.TimeoutExpired:
        raise _too_slow("the host", seconds) from None
    out, err = (part.decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return Done(done.returncode, out, err)


def _stream(command: list[str], script: str, out: IO[bytes] | int | None) -> int:
    data = script.encode("utf-8", "surrogateescape")
    return subprocess.run(command, input=data, stdout=out, check=False).returncode


def _too_slow(host: str, seconds: float) -> UnreachableError:
    return UnreachableError(
        f"no answer within {seconds:g} s", where=host, mend="see what the host is busy with"
    )


def _is_chatter(line: str) -> bool:
    return line.startswith(("debug1:", "OpenSSH_", "Authenticated to", "Transferred:", "Bytes per"))


def _reason(done: Done) -> str:
    """Return the line of ssh's error output that says why it gave up."""
    lines = [line.strip() for line in done.err.splitlines() if _LOST.search(line)]
    return lines[-1] if lines else done.last_words or "it gave no reason"


def _mend(done: Done, host: str) -> str:
    if "verification failed" in done.err:
        return f"check the host's key and accept it once by hand: ssh {host}"
    if "ermission denied" in done.err:
        return "put a key without a passphrase, or one held by ssh-agent, on the host"
    return f"see that 'ssh {host}' works"
