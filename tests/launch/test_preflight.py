"""Every check refuses what it is there for, and would be missed if it were not there."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from essay_scoring.core.errors import BusyError, EssayScoringError
from essay_scoring.core.files import write_text
from essay_scoring.core.progress import Progress
from essay_scoring.launch import checks
from essay_scoring.launch.invocation import LAUNCHES
from essay_scoring.launch.preflight import preflight
from essay_scoring.launch.scripts import Order
from essay_scoring.launch.transport import LocalTransport
from essay_scoring.records.config import RunConfig
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config
from tests.launch.hosts import STUBS, Checkout, processes_in

MARKER = "rocm/pytorch:rocm7.2"


@dataclass
class World:
    """A host on which everything holds: a checkout, a container, a ROCm GPU as stubs tell it."""

    folder: Path
    checkout: Checkout
    docker: Path
    config: RunConfig
    held: ExitStack
    machine: dict[str, object] = field(default_factory=dict)
    container: dict[str, object] = field(default_factory=dict)
    changes: dict[str, object] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)

    def commit(self) -> None:
        """Commit whatever was changed in the checkout."""
        name = ("-c", "user.name=a", "-c", "user.email=a@b")
        self.checkout.git(*name, "commit", "--quiet", "--all", "-m", "changed")

    def order(self) -> Order:
        """Return the launch of this world's config on this world's host."""
        environment = self.checkout.environment(*self.paths, STUBS)
        machine = {
            "gpu": "hip",
            "runtime": "7.2",
            "torch": "2.9",
            "python": "3",
            "free_gpu_memory_gib": 8,
            "free_disk_gib": 0.01,
            "image_marker": MARKER,
            "marker_file": str(self.folder / "marker"),
            "modules": ["json", "torch"],
        }
        profile = self.checkout.profile(
            **{
                "container": {"engine": "docker", "name": "training", **self.container},
                "environment": environment,
                "requires": [{"path": "src"}],
                "machine": machine | self.machine,
                **self.changes,
            }
        )
        return Order(profile, self.config)


@pytest.fixture
def world(checkout: Checkout, docker: Path, tmp_path: Path) -> Iterator[World]:
    write_text(tmp_path / "marker", f"{MARKER}\n")
    config = smoke_config("length", "baselines=[]")
    with ExitStack() as held:
        yield World(tmp_path, checkout, docker, config, held)


def another_folder(world: World) -> None:
    world.changes["folder"] = str(world.folder / "absent")


def another_code(world: World) -> None:
    path = world.checkout.folder / "src" / "essay_scoring" / "core" / "text.py"
    write_text(path, path.read_text("utf-8") + "OTHER = 1\n")
    world.commit()


def uncommitted(world: World) -> None:
    path = world.checkout.folder / "src" / "essay_scoring" / "launch" / "new.py"
    write_text(path, "")


def another_command_line(world: World) -> None:
    path = world.checkout.folder / "src" / "essay_scoring" / "cli" / "options.py"
    write_text(path, path.read_text("utf-8").replace('"--cache-dir"', '"--cash-dir"'))
    world.commit()


def absent_data(world: World) -> None:
    world.config = smoke_config(
        "length",
        "baselines=[]",
        'data.corpus={kind="table", path="/absent.csv", scales={shared={low=1,high=5}},'
        ' columns={id="i",text="t",prompt="p",score="s"}}',
    )


def numbers_that_are_none(world: World) -> None:
    lines = [
        "import numpy as np",
        "from essay_scoring.models.baselines import LengthScorer",
        "LengthScorer.predict_targets = lambda self, essays: np.full(len(essays), np.nan)",
    ]
    write_text(world.folder / "site" / "sitecustomize.py", "\n".join(lines) + "\n")
    world.paths.append(world.folder / "site")


def live_run(world: World) -> None:
    folder = world.checkout.folder
    space = Workspace(folder / "runs", folder / "cache", world.folder)
    name = open_run(world.config, space, Progress()).folder_name
    path = folder / "runs" / LAUNCHES / name / "lock"
    path.parent.mkdir(parents=True)
    stream = world.held.enter_context(path.open("w"))
    fcntl.flock(stream, fcntl.LOCK_EX)


def changed(name: str, **values: object) -> Callable[[World], object]:
    """Return what changes one of the world's tables."""
    return lambda world: getattr(world, name).update(values)


SCENARIOS: dict[str, tuple[Callable[[World], object], str]] = {
    "folder": (another_folder, "there is no folder"),
    "tools": (changed("container", engine="podman"), "podman is not installed"),
    "disk": (changed("machine", free_disk_gib=1e7), "GiB are free, not 10000000"),
    "container": (lambda w: (w.docker / "running").unlink(), "training is not running"),
    "image": (lambda w: write_text(w.folder / "marker", "another"), "the image is another, not"),
    "python": (changed("machine", python="2.7"), "not 2.7"),
    "modules": (changed("machine", modules=["no_such_module"]), "no_such_module cannot be"),
    "torch": (changed("machine", torch="2.90"), "torch is 2.9.1+rocm7.2.0, not 2.90"),
    "runtime": (changed("machine", runtime="6.4"), "HIP is 7.2.26015-fc0010cf6a, not 6.4"),
    "gpu": (changed("machine", gpu="cuda", runtime=None), "sees no GPU through CUDA"),
    "gpu_memory": (changed("machine", free_gpu_memory_gib=21), "20.0 GiB of GPU memory are free"),
    "inputs": (changed("changes", requires=[{"path": ".gitignore", "sha256": "0" * 64}]), "not 0"),
    "code": (another_code, "the host runs code revision"),
    "clean": (uncommitted, "uncommitted changes"),
    "command_line": (another_command_line, "cv there does not know --cache-dir"),
    "run": (absent_data, "/absent.csv"),
    "canary": (numbers_that_are_none, "predictions are not finite numbers"),
    "live": (live_run, "a launch of smoke-length"),
}
ELSEWHERE = {"session": "test_ssh", "scheduler": "test_slurm", "resources": "test_slurm"}


def refusal(world: World) -> str:
    """Return the line that a preflight is refused with, '' if it is not; nothing may be left."""
    order, line = world.order(), ""
    try:
        preflight(order, LocalTransport())
    except EssayScoringError as error:
        line, busy = error.line(), isinstance(error, BusyError)
        assert busy == (": live: " in line)
    assert "\n" not in line
    assert not processes_in(world.folder)
    return line


def test_a_host_on_which_everything_holds_is_accepted(world: World) -> None:
    assert refusal(world) == ""
    # The checks reached the container on its standard input, and ran there.
    assert "def check_canary" in (world.docker / "stdin").read_text("utf-8")


_LATE = ("command_line", "run", "canary", "live")
"""Checks that are reached last: seconds each."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in _LATE else []) for n in SCENARIOS],
)
def test_a_check_refuses_what_it_is_there_for(name: str, world: World) -> None:
    spoil, words = SCENARIOS[name]
    spoil(world)
    line = refusal(world)
    assert f": {name}: " in line
    assert words in line


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_check_nothing_says_what_it_says(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, words = SCENARIOS[name]
    spoil(world)
    left = tuple(check for check in checks.CHECKS if check.name != name)
    monkeypatch.setattr(checks, "CHECKS", left)
    line = refusal(world)
    # Another check may refuse such a host too, but then in its own name.
    assert not (f": {name}: " in line and words in line)


def test_every_check_has_a_scenario() -> None:
    assert {*SCENARIOS, *ELSEWHERE} == {check.name for check in checks.CHECKS}


def test_without_standard_input_nothing_is_checked_and_nothing_held(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `docker exec` without -i gives the checks no input: none runs, and none complains.
    monkeypatch.setattr(
        "essay_scoring.launch.invocation._exec_options", lambda c, f: ["--workdir", f]
    )
    assert "the check did not run" in refusal(world)


def test_a_folder_of_frozen_inputs_has_one_hash(world: World) -> None:
    from essay_scoring.launch.program_checks import path_sha256

    folder = world.folder / "frozen"
    write_text(folder / "b" / "two.txt", "2")
    write_text(folder / "one.txt", "1")
    before = path_sha256(folder)
    # The hash of the two lines that sha256sum prints for them.
    command = "cd frozen && sha256sum b/two.txt one.txt | sha256sum"
    said = subprocess.run(["sh", "-c", command], cwd=world.folder, capture_output=True, check=True)
    assert before == said.stdout.decode().split()[0]
    write_text(folder / "b" / "two.txt", "3")
    assert path_sha256(folder) != before
