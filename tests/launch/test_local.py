"""The whole way on this machine, through processes in sessions of their own."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from essay_scoring.core.errors import BusyError, EvidenceError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.launch.fetching import fetch
from essay_scoring.launch.invocation import LAUNCHES
from essay_scoring.launch.launching import launch, order_of
from essay_scoring.launch.remote import Remote
from essay_scoring.launch.transport import LocalTransport
from tests.conftest import await_that
from tests.launch.hosts import Checkout
from tests.launch.launches import (
    Site,
    await_state,
    finish,
    quick_config,
    require_same_run,
    run_here,
    transformer_config,
)


@pytest.fixture
def site(checkout: Checkout, tmp_path: Path) -> Site:
    return Site.make(checkout, tmp_path)


def test_a_launched_run_is_fetched_and_predicts_what_a_run_here_does(
    site: Site, tmp_path: Path
) -> None:
    launched = site.launch()
    assert launched.jobs == f"session {launched.run}"
    remote = site.remote(launched)
    assert "driver" in finish(remote)
    fetched = fetch(remote, tmp_path / "fetched")
    require_same_run(fetched, run_here(quick_config(), tmp_path / "here"))
    assert fetch(remote, tmp_path / "fetched") == fetched
    again = site.launch()
    assert (again.run, again.jobs) == (launched.run, None)
    await_that(site.is_idle)


@pytest.mark.slow
def test_a_transformer_trained_there_predicts_what_one_trained_here_does(
    site: Site, tmp_path: Path, trained_here: Path
) -> None:
    remote = site.remote(site.launch(transformer_config()))
    finish(remote)
    require_same_run(fetch(remote, tmp_path / "fetched"), trained_here)


@pytest.mark.slow
def test_a_run_goes_on_in_a_container_and_is_cancelled_there(
    checkout: Checkout, tmp_path: Path, docker: Path
) -> None:
    site = Site.make(checkout, tmp_path, container={"engine": "docker", "name": "training"})
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    await_that((site.runs / launched.run / "status.json").exists)
    assert remote.cancel() == "it has ended"
    assert remote.state().line() == "cancelled: terminated"
    await_that(site.is_idle)
    site.gate.unlink()
    site.launch()
    finish(remote)
    fetched = fetch(remote, tmp_path / "fetched")
    require_same_run(fetched, run_here(quick_config(), tmp_path / "here"))


@pytest.mark.slow
def test_a_live_run_is_not_launched_twice_and_a_killed_one_is_resumed(
    site: Site, tmp_path: Path
) -> None:
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    await_state(remote, "running")
    with pytest.raises(BusyError, match=r"a launch of smoke-length-.* is running"):
        site.launch()
    with pytest.raises(BusyError, match="the run is running"):
        fetch(remote, tmp_path / "fetched")
    folder = site.runs / LAUNCHES / launched.run
    driver = int((folder / "driver").read_text("ascii"))
    worker = int((folder / "pid").read_text("ascii"))
    await_that((site.runs / launched.run / "status.json").exists)
    os.kill(driver, signal.SIGKILL)
    await_that(lambda: "goes on without" in remote.state().detail)
    with pytest.raises(BusyError, match="another process is doing smoke-length"):
        site.launch()
    os.kill(worker, signal.SIGKILL)
    await_state(remote, "killed")
    with pytest.raises(EvidenceError, match="no finished run to fetch, it is killed"):
        fetch(remote, tmp_path / "fetched")
    site.gate.unlink()
    again = site.launch()
    assert again.run == launched.run
    finish(remote)
    receipt = read_json(fetch(remote, tmp_path / "fetched") / "receipt.json")
    [earlier] = receipt["earlier"]
    assert earlier["preflight"]["started"] < receipt["preflight"]["started"]
    await_that(site.is_idle)


@pytest.mark.slow
def test_a_cancelled_run_has_ended_and_is_resumed(site: Site) -> None:
    site.gate.touch()
    remote = site.remote(site.launch())
    await_state(remote, "running")
    assert remote.cancel() == "it has ended"
    assert remote.state().line() == "cancelled: terminated"
    await_that(site.is_idle)
    assert remote.cancel() == "nothing was running"
    site.gate.unlink()
    site.launch()
    finish(remote)


@pytest.mark.slow
def test_an_orphan_is_cancelled_too(site: Site) -> None:
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    await_that((site.runs / launched.run / "status.json").exists)
    driver = site.runs / LAUNCHES / launched.run / "driver"
    os.kill(int(driver.read_text("ascii")), signal.SIGKILL)
    assert remote.cancel() == "it has ended"
    assert remote.state().word == "killed"
    await_that(site.is_idle)


@pytest.mark.slow
def test_a_time_limit_ends_a_run_and_says_so(checkout: Checkout, tmp_path: Path) -> None:
    site = Site.make(checkout, tmp_path, time_limit_minutes=1 / 60)
    site.gate.touch()
    remote = site.remote(site.launch())
    await_state(remote, "failed")
    assert remote.state().line() == "failed: time limit of 1 s (exit code 143)"
    await_that(site.is_idle)


@pytest.mark.slow
def test_a_deleted_log_changes_nothing_about_the_state(site: Site, tmp_path: Path) -> None:
    launched = site.launch()
    remote = site.remote(launched)
    finish(remote)
    (site.runs / LAUNCHES / launched.run / "driver.log").unlink()
    assert remote.log() is None
    assert remote.state().line() == "complete"
    whole = fetch(remote, tmp_path / "fetched")
    manifest = site.runs / launched.run / "manifest.json"
    assert manifest.read_bytes() == (whole / "manifest.json").read_bytes()


class Lossy(LocalTransport):
    """A connection that is lost while a run is copied."""

    def __init__(self, share: float) -> None:
        self._share = share

    def stream(self, script: str, out: object = None) -> int:
        done = subprocess.run(["bash", "-s"], input=script.encode(), capture_output=True)  # noqa: PLW1510
        out.write(done.stdout[: int(len(done.stdout) * self._share)])  # type: ignore[attr-defined]
        out.flush()  # type: ignore[attr-defined]
        return 0


@pytest.mark.slow
def test_a_half_copied_run_is_no_run(site: Site, tmp_path: Path) -> None:
    launched = site.launch()
    finish(site.remote(launched))
    for share in (0.0, 0.001, 0.1, 0.5, 0.8):
        remote = Remote(site.profile(), launched.run, Lossy(share))
        with pytest.raises(EvidenceError):
            fetch(remote, tmp_path / "fetched")
        assert list((tmp_path / "fetched").iterdir()) == []
    assert fetch(site.remote(launched), tmp_path / "fetched").is_dir()


@pytest.mark.slow
def test_a_run_that_was_changed_on_the_host_is_not_fetched(site: Site, tmp_path: Path) -> None:
    launched = site.launch()
    remote = site.remote(launched)
    finish(remote)
    (site.runs / launched.run / "receipt.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EvidenceError, match="checksum differs"):
        fetch(remote, tmp_path / "fetched")
    assert list((tmp_path / "fetched").iterdir()) == []


@pytest.mark.slow
def test_a_run_whose_disk_is_full_failed(checkout: Checkout, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a full disk needs the right to mount one")
    try:
        site = Site.make(checkout, tmp_path, runs=str(small), machine={"free_disk_gib": 0.0001})
        config = quick_config("evaluation.replicates=100")
        (small / "ballast").write_bytes(b"x" * 440_000)
        launched = launch(order_of(config, site.profile(), array=False), {})
        remote = site.remote(launched)
        await_that(lambda: remote.state().is_over)
        assert remote.state().word in ("failed", "killed")
        await_that(site.is_idle)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_run_that_was_never_launched_has_no_state(site: Site) -> None:
    with pytest.raises(InputError, match="there is no launch of never-0"):
        Remote(site.profile(), "never-0").state()
    with pytest.raises(InputError, match="no name of a run"):
        Remote(site.profile(), "../x y")
