"""A real Slurm of one node, reached over a real ssh."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.launch.fetching import fetch
from essay_scoring.launch.invocation import LAUNCHES
from essay_scoring.launch.launch_state import graph_rows
from essay_scoring.launch.transport import UnreachableError
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.search import SearchFolder
from essay_scoring.records.search_settings import load_search
from essay_scoring.records.workspace import Workspace
from tests.conftest import await_that
from tests.launch import slurm_cluster
from tests.launch.hosts import SSHD, Checkout, SshDaemon
from tests.launch.launches import (
    Site,
    await_state,
    finish,
    quick_config,
    require_same_run,
    run_here,
    transformer_config,
)
from tests.launch.slurm_cluster import Cluster
from tests.search.made import SMOKE_SEARCH, finished_search
from tests.studies.made import run_study
from tests.studies.quick_studies import predictions, three_arms, use_quick_columns, verdicts

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(slurm_cluster.missing() is not None, reason=str(slurm_cluster.missing())),
    pytest.mark.skipif(SSHD is None, reason="openssh-server is not installed"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster.make(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def wrappers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that logins look for commands in before any other: what a site puts around them."""
    return tmp_path_factory.mktemp("wrappers")


@pytest.fixture(scope="module")
def login(
    cluster: Cluster, wrappers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SshDaemon]:
    """The login node: its logins find the cluster's commands."""
    environment = {**cluster.environment, "PATH": f"{wrappers}:{cluster.environment['PATH']}"}
    daemon = SshDaemon.make(tmp_path_factory.mktemp("login") / "sshd", environment)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def site(checkout: Checkout, tmp_path: Path, login: SshDaemon, cluster: Cluster) -> Iterator[Site]:
    yield Site.make(checkout, tmp_path, backend="slurm", ssh=login.ssh, slurm={"cpus": 1})
    left = jobs(cluster)
    cluster.run("scancel", "--user=root")
    await_that(lambda: not jobs(cluster))
    assert not left


def jobs(cluster: Cluster) -> str:
    """Return the jobs that have not ended."""
    return cluster.run("squeue", "--noheader").strip()


def metrics(folder: Path) -> Any:
    """Return cv_metrics.json without what no two runs share: how long fits took, and where."""
    found = read_json(folder / "artifacts" / "cv_metrics.json")
    for fit in found["fits"]:
        del fit["seconds"], fit["peak_mib"], fit["environments"]
    return found


def test_a_canary_goes_before_the_training_job(site: Site, tmp_path: Path) -> None:
    launched = site.launch()
    assert launched.jobs is not None
    names = launched.jobs.split()[::2]
    assert names == ["canary", "train"]
    remote = site.remote(launched)
    finish(remote)
    fetched = fetch(remote, tmp_path / "fetched")
    require_same_run(fetched, run_here(quick_config(), tmp_path / "here"))
    said = (site.runs / LAUNCHES / launched.run / "canary" / "driver.log").read_text("utf-8")
    assert "CHECK canary ok" in said


def test_a_transformer_trained_there_predicts_what_one_trained_here_does(
    site: Site, tmp_path: Path, trained_here: Path
) -> None:
    remote = site.remote(site.launch(transformer_config()))
    finish(remote)
    require_same_run(fetch(remote, tmp_path / "fetched"), trained_here)


def test_an_array_over_folds_and_seeds_is_the_sequential_run(site: Site, tmp_path: Path) -> None:
    config = quick_config("training.ensemble=2", 'baselines=["mean"]')
    launched = site.launch(config, array=True)
    remote = site.remote(launched)
    finish(remote)
    fetched = fetch(remote, tmp_path / "fetched")
    require_intact(fetched)
    receipt = read_json(fetched / "receipt.json")
    # 5 folds of 2 seeds each, and one baseline.
    assert len(receipt["parts"]) == 11
    tasks = sorted((site.runs / LAUNCHES / launched.run / "parts").iterdir())
    assert len(tasks) == 11
    here = run_here(config, tmp_path / "here")
    assert json.dumps(metrics(fetched)) == json.dumps(metrics(here))
    for model in (here / "models").rglob("*.safetensors"):
        assert model.read_bytes() == (fetched / model.relative_to(here)).read_bytes()


def test_an_array_of_a_run_that_stopped_does_only_what_is_missing(
    site: Site, cluster: Cluster
) -> None:
    site.gate.touch()
    launched = site.launch(array=True)
    remote = site.remote(launched)
    folder = site.runs / LAUNCHES / launched.run
    await_that(lambda: list(folder.glob("parts/*/pid")))
    with pytest.raises(BusyError, match=r"job \d+.* of smoke-length-\w+ is queued or running"):
        site.launch(array=True)
    [*_, pid] = folder.glob("parts/*/pid")
    os.kill(int(pid.read_text("ascii")), signal.SIGKILL)
    await_state(remote, "failed")
    remote.cancel()
    assert not jobs(cluster)
    site.gate.unlink()
    again = site.launch(array=True)
    assert again.run == launched.run
    finish(remote)


def test_a_canary_that_fails_keeps_training_from_starting(site: Site, cluster: Cluster) -> None:
    config = quick_config()
    machine = {"free_disk_gib": 0.01, "modules": ["no_such_module"]}
    site.changes["machine"] = machine
    launched = site.launch(config)
    remote = site.remote(launched)
    await_state(remote, "failed")
    assert "no_such_module cannot be imported" in remote.state().detail
    await_that(lambda: not jobs(cluster))
    assert not (site.runs / launched.run / "status.json").exists()


def test_a_gpu_that_no_node_has_is_refused(site: Site) -> None:
    site.changes["slurm"] = {"gres": "gpu:1"}
    with pytest.raises(InputError, match="resources: "):
        site.launch()
    assert not list(site.runs.glob("smoke*"))


def test_a_partition_that_does_not_exist_is_refused(site: Site) -> None:
    site.changes["slurm"] = {"partition": "nowhere"}
    with pytest.raises(InputError, match="scheduler: the scheduler knows no partition nowhere"):
        site.launch()


def test_a_drained_node_is_refused_and_a_queued_run_says_why(site: Site, cluster: Cluster) -> None:
    cluster.take_node("drain")
    try:
        with pytest.raises(InputError, match="no node of the partition can take jobs: drained"):
            site.launch()
    finally:
        cluster.resume_node()
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    await_that((site.runs / launched.run / "status.json").exists)
    cluster.take_node("down")
    try:
        await_that(lambda: remote.state().is_over)
        assert remote.state().word in ("failed", "cancelled", "killed")
        assert remote.cancel()
    finally:
        site.gate.unlink()
        cluster.resume_node()
    await_that(site.is_idle)


def test_a_cancelled_run_has_ended(site: Site, cluster: Cluster) -> None:
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    await_that((site.runs / launched.run / "status.json").exists)
    assert remote.cancel() == "it has ended"
    assert remote.state().word == "cancelled"
    assert not jobs(cluster)
    await_that(site.is_idle)


def test_a_time_limit_ends_a_run(site: Site, cluster: Cluster) -> None:
    site.changes["time_limit_minutes"] = 0.05
    site.gate.touch()
    remote = site.remote(site.launch())
    await_state(remote, "failed")
    assert "time limit" in remote.state().detail
    await_that(lambda: not jobs(cluster))


def test_while_the_scheduler_is_down_nothing_is_known_and_nothing_is_lost(
    site: Site, cluster: Cluster
) -> None:
    site.gate.touch()
    launched = site.launch()
    remote = site.remote(launched)
    await_that((site.runs / launched.run / "status.json").exists)
    cluster.stop("slurmctld")
    try:
        with pytest.raises(UnreachableError, match="the scheduler does not answer"):
            remote.state()
        with pytest.raises(UnreachableError, match="the scheduler does not answer"):
            remote.follow(lambda _: None, poll=0.1, patience=1)
        with pytest.raises(InputError, match="scheduler: the scheduler does not answer"):
            site.launch()
    finally:
        cluster.restart_controller()
    site.gate.unlink()
    finish(remote)
    await_that(lambda: not jobs(cluster))


def test_the_end_is_told_after_the_scheduler_has_forgotten(site: Site, cluster: Cluster) -> None:
    launched = site.launch()
    remote = site.remote(launched)
    finish(remote)
    await_that(lambda: not jobs(cluster))
    cluster.stop("slurmctld")
    try:
        assert remote.state().line() == "complete"
    finally:
        cluster.restart_controller()


REAL = "real=$(type -ap sbatch | tail -n 1)"
WRAPPERS = {
    "a line before": 'echo "Charging account: research, 12 SU"; exec "$real" "$@"',
    "lines after": '"$real" "$@"; code=$?; echo "Budget left: 1000"; echo 42 hours; exit $code',
    "errors": 'echo "sbatch: lua: accounting on" >&2; exec "$real" "$@"',
    "a sentence": 'n=$("$real" "$@") || exit; echo "Submitted batch job $n to cluster"',
    "another number on its own line": 'echo 4711; exec "$real" "$@"',
    "the cluster's name": 'n=$("$real" "$@") || exit; echo "$n;made"; echo "(12.5 SU)"',
}


def wrap(wrappers: Path, line: str) -> None:
    path = wrappers / "sbatch"
    path.write_text(f"#!/bin/bash\n{REAL}\n{line}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("kind", WRAPPERS)
def test_a_job_is_found_whatever_a_wrapper_prints(
    kind: str, site: Site, cluster: Cluster, wrappers: Path
) -> None:
    wrap(wrappers, WRAPPERS[kind])
    try:
        launched = site.launch()
        assert launched.jobs is not None
        numbers = launched.jobs.split()[1::2]
        known = cluster.run("squeue", "--noheader", "--states=all", "--format=%i").split()
        assert set(numbers) <= set(known)
        site.remote(launched).cancel()
        assert not jobs(cluster)
    finally:
        (wrappers / "sbatch").unlink()


def test_a_wrapper_that_fails_after_it_submitted_leaves_nothing(
    site: Site, cluster: Cluster, wrappers: Path
) -> None:
    wrap(wrappers, '"$real" "$@" >/dev/null; [[ $* = *--test-only* ]] && exit; echo no; exit 1')
    try:
        with pytest.raises(InputError, match="sbatch refused the canary job"):
            site.launch()
    finally:
        (wrappers / "sbatch").unlink()
    await_that(lambda: not jobs(cluster))
    launched = site.launch()
    site.remote(launched).cancel()


def test_a_launch_that_was_cut_off_is_seen_and_cancelled(site: Site, cluster: Cluster) -> None:
    launched = site.launch()
    remote = site.remote(launched)
    remote.cancel()
    # As if the connection had gone before the numbers of the jobs were written down.
    (site.runs / LAUNCHES / launched.run / "jobs").unlink()
    (site.runs / LAUNCHES / launched.run / "exit_code").unlink(missing_ok=True)
    name = f"--job-name={launched.run}"
    cluster.run("sbatch", "--parsable", "--hold", name, "--wrap", "sleep 60", "--output=/dev/null")
    state = remote.state()
    assert state.word == "queued"
    assert "cut off: cancel it, and launch again" in state.detail
    with pytest.raises(BusyError):
        site.launch()
    remote.cancel()
    assert not jobs(cluster)


def test_a_study_is_one_graph_whose_end_is_that_of_the_study_in_one_go(
    site: Site, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "computed"
    site.read_quick_columns(log)
    path = three_arms(tmp_path / "study", "data.splits.n_splits=2", context=False)
    site.gate.touch()
    launched = site.launch_study(path)
    remote = site.remote(launched)
    fits = site.runs / LAUNCHES / launched.run / "steps" / "fits:reference:prompt_holdout"
    await_that((fits / "0" / "pid").exists)
    with pytest.raises(BusyError, match=r"job \d+.* of small-\w+ is queued or running"):
        site.launch_study(path)
    os.kill(int((fits / "0" / "pid").read_text("ascii")), signal.SIGKILL)
    await_that((fits / "0" / "exit_code").exists)
    site.gate.unlink()
    await_that(lambda: remote.state().is_over)
    assert remote.state().line() == "failed: job fits:reference:prompt_holdout: FAILED"
    rows = {row[0]: row for row in graph_rows(remote.observed())}
    assert rows["fits:reference:prompt_holdout"][1] == "1/2"
    assert ", failed: 0 (job " in rows["fits:reference:prompt_holdout"][2]
    assert rows["judge"][1] == "0/1"
    await_that(lambda: not jobs(cluster))

    assert site.launch_study(path).run == launched.run
    again = remote.observed()
    assert (again.steps["columns"].done, again.steps["columns"].of) == (1, 1)
    assert "columns" not in again.jobs
    assert again.steps["fits:reference:prompt_holdout"].done == 1
    finish(remote)
    counts = [row[1].split("/") for row in graph_rows(remote.observed())[1:]]
    assert all(done == of for done, of in counts)
    assert site.launch_study(path).jobs is None

    there = fetch(remote, tmp_path / "fetched")
    require_intact(there)
    in_one_go = log.read_text("ascii").split()
    assert len(set(in_one_go)) == len(in_one_go)
    use_quick_columns(monkeypatch, tmp_path / "computed here")
    here = run_study(path, Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path))
    assert there.name == here.name
    assert verdicts(there) == verdicts(here)
    assert len(predictions(here.parents[1])) == 3
    assert predictions(there.parents[1]) == predictions(here.parents[1])


def test_a_search_is_workers_on_one_storage_whose_end_is_that_of_the_search_here(
    site: Site, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trials are drawn at random: they are the same however many share them."""
    log, asked = tmp_path / "computed", ['mode="flat"', 'sampler="random"', "trials=5"]
    site.read_quick_columns(log)
    site.gate.touch()
    launched = site.launch_search(SMOKE_SEARCH, asked, workers=2)
    remote = site.remote(launched)
    worker = site.runs / LAUNCHES / launched.run / "steps" / "trials" / "0"
    await_that((worker / "pid").exists)
    with pytest.raises(BusyError, match=r"of smoke-\w+ is queued or running"):
        site.launch_search(SMOKE_SEARCH, asked, workers=2)
    os.kill(int((worker / "pid").read_text("ascii")), signal.SIGKILL)
    site.gate.unlink()
    # What the dead worker had claimed is tried by the other, or by the last step.
    finish(remote)
    rows = {row[0]: row for row in graph_rows(remote.observed())[1:]}
    assert [*rows] == ["columns", "trials", "end"]
    assert rows["trials"][1] == "1/2"
    assert (rows["end"][1], rows["end"][3]) == ("1/1", "trials")
    assert site.launch_search(SMOKE_SEARCH, asked, workers=2).jobs is None

    there = fetch(remote, tmp_path / "fetched")
    require_intact(there)
    in_one_go = log.read_text("ascii").split()
    assert len(set(in_one_go)) == len(in_one_go)
    use_quick_columns(monkeypatch, tmp_path / "computed here")
    space = Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path)
    here = finished_search(space, load_search(SMOKE_SEARCH, asked))
    assert there.name == here.name
    ours, theirs = (SearchFolder(folder).read_search() for folder in (here, there))
    for name in ("selected", "runner_up", "reference"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert (one.params, one.figures) == (other.params, other.figures)
    assert predictions(there.parents[1]) == predictions(here.parents[1])
