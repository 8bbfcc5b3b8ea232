"""Logins that print: a script's answer is what it printed itself, the rest are the host's words."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from essay_scoring.core.files import write_text
from essay_scoring.launch.fetching import fetch
from essay_scoring.launch.profile import Profile, SshSettings
from essay_scoring.launch.remote import run_there
from essay_scoring.launch.transport import SshTransport, UnreachableError
from tests.launch.conftest import running_sshd
from tests.launch.hosts import Checkout, SshDaemon
from tests.launch.launches import Site, finish, quick_config, require_same_run, run_here

LIKE_OURS = (
    "CHECK folder ok\\nFACT complete true\\nLAUNCHED canary 1\\nREFUSED live no\\n"
    "SEEN code 0\\nSEEN all\\nCANCELLED nothing was running\\nZm9yZ2Vk\\n</0 0>\\n<0>\\n"
)
NOISE = {
    "a banner": "echo 'Welcome to the cluster!'",
    "words without an end of line": "printf 'Loading module cuda'",
    "errors": "echo 'module: command not found' >&2",
    "lines like ours": f"printf '{LIKE_OURS}'",
    "bytes that are no text": "printf '\\377\\376\\000\\033[31m\\r\\n'",
    "much": 'for i in $(seq 5000); do echo "line $i of the message of the day"; done',
    "words afterwards": "trap 'echo goodbye; echo gone >&2' EXIT",
    "both streams and an odd exit": "trap 'echo bye; exit 3' EXIT; echo hi >&2; echo hi",
}
SHELLS = [shell for shell in ("bash", "dash", "zsh", "fish", "tcsh") if shutil.which(shell)]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshDaemon]:
    """A daemon whose logins run the file `login` before what is asked for."""
    folder = tmp_path_factory.mktemp("noisy") / "sshd"
    for daemon in running_sshd(folder):
        daemon.stop()
        with (folder / "sshd_config").open("a") as config:
            config.write(f"ForceCommand /bin/bash {folder / 'login'}\n")
        daemon.start()
        yield daemon


def log_in(daemon: SshDaemon, noise: str, shell: str = "/bin/bash") -> None:
    """Let logins make a noise before their shell is asked."""
    write_text(daemon.folder / "login", f'{noise}\n{shell} -c "$SSH_ORIGINAL_COMMAND"\n')


@pytest.mark.parametrize("noise", NOISE)
def test_an_answer_is_what_the_script_printed(
    noise: str, noisy: SshDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    log_in(noisy, NOISE[noise])
    with caplog.at_level(logging.WARNING):
        transport = SshTransport(SshSettings.model_validate(noisy.ssh))
        done = transport.script("printf 'CHECK x ok'; echo problem >&2; exit 9\n")
    assert (done.out, done.err, done.code) == ("CHECK x ok", "problem\n", 9)
    assert done.host_key is not None
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("noise", NOISE)
def test_a_stream_is_what_the_command_printed(
    noise: str, noisy: SshDaemon, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_in(noisy, NOISE[noise])
    profile = Profile.model_validate(
        {"backend": "ssh-screen", "folder": str(tmp_path), "ssh": noisy.ssh}
    )
    words = "for i in $(seq 3000); do echo $i; done; printf end; exit 7"
    assert run_there(profile, ["bash", "-c", words]) == 7
    assert capfd.readouterr().out == "".join(f"{i}\n" for i in range(1, 3001)) + "end"


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_runs_a_script(shell: str, noisy: SshDaemon) -> None:
    log_in(noisy, "", str(shutil.which(shell)))
    done = SshTransport(SshSettings.model_validate(noisy.ssh)).script("echo ${BASH_VERSION%%.*}\n")
    assert done.out.strip().isdigit()


def test_a_login_that_ends_is_one_line_with_its_words(noisy: SshDaemon) -> None:
    log_in(noisy, "echo 'This account is not available.'; exit 1")
    with pytest.raises(UnreachableError, match=r"cut off: This account is not available\."):
        SshTransport(SshSettings.model_validate(noisy.ssh)).script("echo here\n")


def test_a_shared_connection_tells_the_key_on_record(
    noisy: SshDaemon, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It lasts longer than a script may take, and nothing waits for its end."""
    log_in(noisy, "")
    config = noisy.folder / "ssh_config"
    before = config.read_text()
    place = tmp_path_factory.getbasetemp().parent / f"m{noisy.port}"
    config.write_text(
        f"{before}    ControlMaster auto\n    ControlPath {place}\n    ControlPersist 600\n"
    )
    try:
        transport = SshTransport(SshSettings.model_validate(noisy.ssh))
        first, second = (transport.script("echo here\n") for _ in range(2))
        assert first.host_key == second.host_key is not None
    finally:
        subprocess.run(["ssh", "-F", str(config), "-O", "exit", "elsewhere"], check=False)
        config.write_text(before)


def test_a_run_is_launched_followed_and_fetched_past_a_noisy_login(
    noisy: SshDaemon, checkout: Checkout, tmp_path: Path
) -> None:
    log_in(noisy, "\n".join(NOISE[name] for name in ("a banner", "lines like ours", "errors")))
    site = Site.make(checkout, tmp_path, backend="ssh-screen", ssh=noisy.ssh)
    if shutil.which("screen") is None:
        pytest.skip("screen is not installed")
    remote = site.remote(site.launch())
    finish(remote)
    log = remote.log()
    assert log is not None
    assert b"Welcome" not in log
    require_same_run(fetch(remote, tmp_path / "fetched"), run_here(quick_config(), tmp_path / "h"))
