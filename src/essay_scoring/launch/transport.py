"""Getting a script or a command onto the host, with nothing lost or changed on the way.

Every script travels on standard input to `bash -s`: what the login shell sees are words that no
shell treats specially. What a script prints stands between two markers of a random number, so that
nothing that a login prints around it is taken for an answer; that is told as the host's words.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol

from essay_scoring.core.errors import InputError, visible
from essay_scoring.launch.profile import Profile, SshSettings

_PLAIN = re.compile(r"^[A-Za-z0-9_.,/=+:@-]+$")
_SSH_FAILED = 255
_TIMED_OUT = (124, 137)
_CUT_OFF = 1
_KEY_TYPES = {"ED25519": "ssh-ed25519", "RSA": "ssh-rsa", "ECDSA": "ecdsa-sha2-nistp256"}
_MOST_WORDS = 20
_told: set[tuple[str, str]] = set()
_log = logging.getLogger(__name__)
_LOST = re.compile(r"[Hh]ost key verification failed|[Pp]ermission denied|[Cc]onnection|resolve")
_HOST_KEY = re.compile(r"Server host key: (\S+ SHA256:\S+)")


class UnreachableError(InputError):
    """The host, or its scheduler, does not answer now; asking again may help."""


@dataclass(frozen=True)
class Done:
    """How a script on the host ended. `host_key` is the key that the host proved to hold.

    `said` is what was printed around the script: by the login shell, ssh, or a banner.
    """

    code: int
    out: str
    err: str
    host_key: str | None = None
    said: str = ""
    whole: bool = True

    @property
    def last_words(self) -> str:
        """The last line of the error output, else of what the host said around it, or ''."""
        said = self.err if self.err.strip() else self.said
        lines = [line for line in said.splitlines() if line.strip()]
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
        return _answered(done, "this machine", seconds)

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
        found = _HOST_KEY.search(done.said)
        key = found[1] if found else self._known_key() if done.whole else None
        done = replace(done, said=_quiet(done.said), err=_quiet(done.err), host_key=key)
        if done.code == _SSH_FAILED and not done.whole:
            raise UnreachableError(
                f"ssh cannot reach the host: {_reason(done)}", where=host, mend=_mend(done, host)
            )
        return _answered(done, host, seconds)

    def _known_key(self) -> str | None:
        """Return the key on record for the host, which a shared connection does not prove anew."""
        ssh = self._settings
        config = ["-F", ssh.config] if ssh.config else []
        told = _lines(["ssh", "-G", *config, "--", ssh.host])
        options = dict(line.split(" ", 1) for line in told if " " in line)
        name = options.get("hostkeyalias") or options.get("hostname", ssh.host)
        port = options.get("port", "22")
        asked = name if port == "22" or "hostkeyalias" in options else f"[{name}]:{port}"
        files = f"{options.get('userknownhostsfile', '')} {options.get('globalknownhostsfile', '')}"
        for file in files.split():
            lines = _lines(["ssh-keygen", "-F", asked, "-l", "-f", str(Path(file).expanduser())])
            for words in (line.split() for line in lines if not line.startswith("#")):
                if len(words) >= 3 and words[2].startswith("SHA256:"):
                    return f"{_KEY_TYPES.get(words[1], words[1])} {words[2]}"
        return None

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


class _Frame:
    """The markers around what one script prints."""

    def __init__(self) -> None:
        number = secrets.token_hex(16)
        self.begin, self.end = f"<{number}>\n".encode(), f"</{number} ".encode()

    def around(self, script: str, *, errors: bool) -> bytes:
        """Return the script that prints them, on standard error too where `errors`.

        A shell reads the braces whole before it runs anything.
        """
        begin, end = self.begin.decode().strip(), self.end.decode()
        too = "; printf '%s\\n' \"$mark\" >&2" if errors else ""
        lines = [
            "{",
            f"mark='{begin}'; printf '%s\\n' \"$mark\"{too}",
            f"(\n{script}\n)",
            "code=$?",
            f'mark="{end}$code>"; printf \'%s\' "$mark"{too}',
            "exit $code",
            "}",
            "",
        ]
        return "\n".join(lines).encode("utf-8", "surrogateescape")

    def inside(self, data: bytes) -> tuple[bytes, bytes, int | None]:
        """Return what stands inside, what stands around it, and the exit code, None if cut off."""
        before, began, rest = data.partition(self.begin)
        if not began:
            return b"", data, None
        inside, ended, after = rest.rpartition(self.end)
        if not ended:
            return rest, before, None
        code, _, after = after.partition(b">")
        return inside, before + b"\n" + after, int(code)


def _run(command: list[str], script: str, seconds: float) -> Done:
    """Run a local command with a script on its standard input.

    What it prints goes to unnamed files: a shared connection that ssh leaves behind would hold a
    pipe open for as long as it lasts.
    """
    frame = _Frame()
    try:
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            done = subprocess.run(
                command,
                input=frame.around(script, errors=True),
                stdout=stdout,
                stderr=stderr,
                check=False,
                timeout=seconds + 30,
            )
            printed, errors = (_whole(stream) for stream in (stdout, stderr))
    except FileNotFoundError:
        raise InputError(f"'{command[0]}' is not installed here", mend="install it") from None
    except subprocess.TimeoutExpired:
        raise _too_slow("the host", seconds) from None
    out, said, code = frame.inside(printed)
    err, also, _ = frame.inside(errors)
    texts = [part.decode("utf-8", "replace") for part in (out, err, said + b"\n" + also)]
    ended = done.returncode if code is None else code
    if code is None and ended == 0:
        ended = _CUT_OFF
    return Done(ended, texts[0], texts[1], said=texts[2].strip(), whole=code is not None)


def _whole(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read()


def _answered(done: Done, host: str, seconds: float) -> Done:
    """Return an answer, having told what was said around it; UnreachableError for none."""
    for line in dict.fromkeys(visible(line) for line in done.said.splitlines()[:_MOST_WORDS]):
        if line and (host, line) not in _told:
            _told.add((host, line))
            _log.warning("%s says: %s", host, line[:200])
    if not done.whole and done.code in _TIMED_OUT:
        raise _too_slow(host, seconds)
    if not done.whole:
        what = f"the answer was cut off: {visible(done.last_words) or 'nothing was said'}"
        raise UnreachableError(what, where=host, mend="see what the host prints at login")
    return done


def _stream(command: list[str], script: str, out: IO[bytes] | int | None) -> int:
    """Run a local command, what its script prints going to `out` and the rest to standard error."""
    frame = _Frame()
    sink = out if isinstance(out, int) else sys.stdout.fileno() if out is None else out.fileno()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None
        feeding = threading.Thread(target=_feed, args=(stdin, frame.around(script, errors=False)))
        feeding.start()
        code = _passed_on(stdout, frame, sink)
        feeding.join()
        ended = process.wait()
    if code is None:
        return ended or _SSH_FAILED
    return code


def _feed(stdin: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stdin:
        stdin.write(data)


def _passed_on(stdout: IO[bytes], frame: _Frame, sink: int) -> int | None:
    """Write what stands inside the frame as it comes; return the exit code, None if cut off."""
    held, begun = b"", False
    while chunk := os.read(stdout.fileno(), 1 << 16):
        held += chunk
        if not begun and frame.begin in held:
            before, _, held = held.partition(frame.begin)
            _say(before)
            begun = True
        if begun and frame.end not in held:
            # The end of what came may be the beginning of the last marker.
            keep = len(frame.end)
            _write_all(sink, held[:-keep])
            held = held[-keep:]
    inside, ended, after = held.rpartition(frame.end)
    if not begun or not ended:
        _write_all(sink, held) if begun else _say(held)
        return None
    _write_all(sink, inside)
    code, _, after = after.partition(b">")
    _say(after)
    return int(code)


def _write_all(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


def _say(words: bytes) -> None:
    """Tell what a host said around a script."""
    for line in words.decode("utf-8", "replace").splitlines()[:_MOST_WORDS]:
        if line.strip():
            _log.warning("the host says: %s", visible(line)[:200])


def _lines(command: list[str]) -> list[str]:
    """Return what a local command prints, by lines; none where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode("utf-8", "replace").splitlines()


def _too_slow(host: str, seconds: float) -> UnreachableError:
    return UnreachableError(
        f"no answer within {seconds:g} s", where=host, mend="see what the host is busy with"
    )


def _quiet(text: str) -> str:
    """Return text without what ssh itself says of its work."""
    own = ("debug1:", "OpenSSH_", "Authenticated to", "Transferred:", "Bytes per")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(own))


def _reason(done: Done) -> str:
    """Return the line of ssh's error output that says why it gave up."""
    lines = [line.strip() for line in done.said.splitlines() if _LOST.search(line)]
    return lines[-1] if lines else done.last_words or "it gave no reason"


def _mend(done: Done, host: str) -> str:
    if "verification failed" in done.said:
        return f"check the host's key and accept it once by hand: ssh {host}"
    if "ermission denied" in done.said:
        return "put a key without a passphrase, or one held by ssh-agent, on the host"
    return f"see that 'ssh {host}' works"
