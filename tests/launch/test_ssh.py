"""A real sshd on the loopback interface, with keys and configuration of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import write_text
from essay_scoring.launch.fetching import fetch
from essay_scoring.launch.profile import Profile, SshSettings
from essay_scoring.launch.remote import run_there
from essay_scoring.launch.scripts import SCREEN
from essay_scoring.launch.transport import SshTransport, UnreachableError, exec_script
from tests.conftest import PATIENCE, await_that, smoke_config
from tests.launch.hostile import ECHO, HOSTILE, arguments, echoed
from tests.launch.hosts import Checkout, SshDaemon, children_of
from tests.launch.launches import (
    Site,
    await_state,
    finish,
    quick_config,
    require_same_run,
    run_here,
    transformer_config,
)

LOTS = 2000


def transport(daemon: SshDaemon) -> SshTransport:
    return SshTransport(SshSettings.model_validate(daemon.ssh))


@pytest.mark.slow
@settings(max_examples=20, phases=[Phase.generate], deadline=None)
@given(st.lists(arguments(), min_size=LOTS // 20, max_size=LOTS // 20))
def test_2000_arguments_reach_a_command_byte_for_byte(
    shared_sshd: SshDaemon, argv: list[str]
) -> None:
    script = exec_script("/", [sys.executable, "-c", ECHO, *argv], {})
    assert echoed(transport(shared_sshd).script(script).out) == argv


def test_every_hostile_argument_reaches_a_command_typed_here(
    shared_sshd: SshDaemon, tmp_path: Path
) -> None:
    text = (
        f"backend = 'ssh-screen'\nfolder = '{tmp_path}'\n"
        f"[ssh]\nhost = 'elsewhere'\nconfig = '{shared_sshd.ssh['config']}'\n"
    )
    write_text(tmp_path / "profile.toml", text)
    main = [sys.executable, "-m", "essay_scoring.cli.main"]
    options = ["remote", "run", "--profile", str(tmp_path / "profile.toml"), "--"]
    command = [*main, *options, sys.executable, "-c", ECHO, *HOSTILE]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    assert echoed(done.stdout.decode()) == HOSTILE


def test_the_host_key_that_was_proved_is_told(shared_sshd: SshDaemon) -> None:
    done = transport(shared_sshd).script("echo here\n")
    command = ["ssh-keygen", "-l", "-f", str(shared_sshd.folder / "host_key.pub")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert done.host_key is not None
    assert done.host_key.split()[1] == listed.split()[1]
    assert (done.out, done.err) == ("here\n", "")


def test_exit_codes_and_output_come_back(
    shared_sshd: SshDaemon, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = Profile.model_validate(
        {"backend": "ssh-screen", "folder": str(tmp_path), "ssh": shared_sshd.ssh}
    )
    assert run_there(profile, ["bash", "-c", 'echo "$PWD"; exit 7']) == 7
    assert capfd.readouterr().out == f"{tmp_path}\n"


def refused(daemon: SshDaemon) -> str:
    """Return the one line with which the host is not reached."""
    with pytest.raises(UnreachableError) as caught:
        transport(daemon).script("echo here\n")
    assert "\n" not in caught.value.line()
    return caught.value.line()


def test_an_unknown_host_key_is_refused(sshd: SshDaemon) -> None:
    write_text(sshd.folder / "known_hosts", "")
    assert "elsewhere: ssh cannot reach the host: Host key verification failed" in refused(sshd)
    assert (sshd.folder / "known_hosts").read_text("utf-8") == ""


def test_another_host_key_is_refused(sshd: SshDaemon) -> None:
    sshd.know("other_key")
    assert "Host key verification failed" in refused(sshd)


def test_a_login_key_that_the_host_does_not_know_is_refused(sshd: SshDaemon) -> None:
    sshd.log_in_with("other_key")
    assert "Permission denied (publickey)" in refused(sshd)


def test_a_login_key_with_a_passphrase_is_refused_and_asked_for_nowhere(sshd: SshDaemon) -> None:
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f"]
    subprocess.run([*command, str(sshd.folder / "login_key")], check=True)
    assert "Permission denied (publickey)" in refused(sshd)


def test_a_host_that_is_down_is_refused(sshd: SshDaemon) -> None:
    sshd.stop()
    assert "Connection refused" in refused(sshd)


def test_a_script_that_takes_too_long_is_ended_there(
    shared_sshd: SshDaemon, tmp_path: Path
) -> None:
    script = f"touch {tmp_path}/up; sleep 600; touch {tmp_path}/done\n"
    with pytest.raises(UnreachableError, match="no answer within 1 s"):
        transport(shared_sshd).script(script, seconds=1)
    assert (tmp_path / "up").exists()


needs_screen = pytest.mark.skipif(shutil.which(SCREEN) is None, reason=f"{SCREEN} is not installed")


@pytest.fixture
def site(checkout: Checkout, tmp_path: Path, sshd: SshDaemon) -> Site:
    return Site.make(checkout, tmp_path, backend="ssh-screen", ssh=sshd.ssh)


@needs_screen
@pytest.mark.slow
def test_a_run_goes_on_while_the_connection_is_cut(
    site: Site, sshd: SshDaemon, tmp_path: Path
) -> None:
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    assert launched.jobs == f"session {launched.run}"
    await_state(remote, "running")
    with pytest.raises(BusyError, match="is running"):
        site.launch()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(finish, remote)
        await_that(lambda: sshd.process is not None and children_of(sshd.process.pid))
        sshd.cut()
        sshd.stop()
        with pytest.raises(UnreachableError):
            remote.state()
        site.gate.unlink()
        await_that((site.runs / launched.run / "manifest.json").exists)
        assert not following.done()
        sshd.start()
        assert "smoke-length" in following.result(timeout=PATIENCE)
    fetched = fetch(remote, tmp_path / "fetched")
    require_same_run(fetched, run_here(quick_config(), tmp_path / "here"))
    assert "SHA256:" in (fetched / "receipt.json").read_text("utf-8")
    await_that(site.is_idle)
    assert launched.run not in sessions()


@needs_screen
@pytest.mark.slow
def test_a_transformer_trained_there_predicts_what_one_trained_here_does(
    site: Site, tmp_path: Path, trained_here: Path
) -> None:
    site.changes["precision"] = "none"
    remote = site.remote(site.launch(transformer_config()))
    finish(remote)
    fetched = fetch(remote, tmp_path / "fetched")
    require_same_run(fetched, trained_here)
    assert "canary ok precision=fp32 device=cpu" in (fetched / "receipt.json").read_text("utf-8")


@needs_screen
@pytest.mark.slow
def test_a_model_that_overflows_is_never_launched(
    checkout: Checkout, tmp_path: Path, sshd: SshDaemon
) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    site = Site.make(checkout, tmp_path, backend="ssh-screen", ssh=sshd.ssh)
    rates = ("scorer.learning_rate=1e30", "scorer.head_learning_rate=1e30")
    config = smoke_config("transformer", "baselines=[]", *rates)
    with pytest.raises(InputError, match=r"canary: .*not (a )?finite"):
        site.launch(config)
    assert site.is_idle()
    assert not [path for path in site.runs.glob("*") if path.name.startswith("smoke")]


@needs_screen
@pytest.mark.slow
def test_a_stale_session_of_the_same_name_is_refused(site: Site) -> None:
    launched = site.launch()
    finish(site.remote(launched))
    shutil.rmtree(site.runs / launched.run)
    subprocess.run([SCREEN, "-dmS", launched.run, "sleep", "600"], check=True)
    try:
        with pytest.raises(InputError, match=r"session: there is a screen session \d+\."):
            site.launch()
    finally:
        subprocess.run([SCREEN, "-S", launched.run, "-X", "quit"], check=True)
    await_that(lambda: launched.run not in sessions())
    assert site.launch().jobs == f"session {launched.run}"
    finish(site.remote(launched))


@needs_screen
@pytest.mark.slow
def test_a_session_that_is_closed_ends_its_run_and_that_is_told(site: Site) -> None:
    site.gate.touch()
    launched = site.launch()
    await_state(site.remote(launched), "running")
    subprocess.run([SCREEN, "-S", launched.run, "-X", "quit"], check=True)
    await_state(site.remote(launched), "failed")
    assert "its session was closed" in site.remote(launched).state().detail
    await_that(site.is_idle)


def sessions() -> str:
    return subprocess.run([SCREEN, "-ls"], capture_output=True, text=True, check=False).stdout
