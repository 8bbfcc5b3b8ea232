from __future__ import annotations

import fcntl
import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import read_json
from essay_scoring.core.progress import Progress
from essay_scoring.records.config import RunConfig
from essay_scoring.records.manifest import LOCK, require_intact
from essay_scoring.records.workspace import Workspace
from essay_scoring.reports.run_reports import write_run_reports
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.parts import missing_parts, parts_of, run_part
from essay_scoring.runs.run import Run, open_run
from essay_scoring.runs.session import first_start
from tests.conftest import smoke_config


def part(config: RunConfig, space: Workspace, number: int) -> Path:
    return run_part(open_run(config, space, Progress()), number, resume="again")


def whole(config: RunConfig, space: Workspace) -> Path:
    return run_cv(
        open_run(config, space, Progress()), report=write_run_reports, resume="again"
    ).folder


def opened(config: RunConfig, space: Workspace) -> tuple[Run, Path]:
    run = open_run(config, space, Progress())
    return run, space.runs / run.folder_name


def metrics(folder: Path) -> Any:
    """Return cv_metrics.json without what the fits took in time and memory."""
    found = read_json(folder / "artifacts" / "cv_metrics.json")
    for fit in found["fits"]:
        del fit["seconds"], fit["peak_mib"]
    return found


@pytest.mark.parametrize(
    "overrides",
    [
        ("training.ensemble=2",),
        ("training.ensemble=1", 'baselines=["mean", "length"]'),
        (
            "training.ensemble=3",
            "training.mapping=qwk_cutpoints_inner",
            "data.splits.n_splits=3",
            "scheme=stratified_text",
        ),
    ],
)
def test_parts_in_any_order_make_the_run_that_one_process_makes(
    space: Workspace, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    config = smoke_config("length", 'baselines=["mean"]', *overrides)
    run, folder = opened(config, space)
    numbers = list(range(len(parts_of(run))))
    assert missing_parts(run, folder) == numbers
    random.Random(1).shuffle(numbers)
    for number in numbers:
        assert part(config, space, number) == folder
    assert missing_parts(run, folder) == []
    assert whole(config, space) == folder
    require_intact(folder)
    assert not list(folder.rglob(".parts"))
    other = whole(config, Workspace(tmp_path / "other", space.cache, tmp_path))
    assert json.dumps(metrics(folder)) == json.dumps(metrics(other))
    for model in (other / "models").rglob("*.safetensors"):
        assert model.read_bytes() == (folder / model.relative_to(other)).read_bytes()


def test_a_part_is_a_fold_of_a_seed_or_a_baseline(space: Workspace) -> None:
    config = smoke_config("length", 'baselines=["mean", "ridge"]', "training.ensemble=2")
    names = [each.name for each in parts_of(opened(config, space)[0])]
    seeds = [f"fold-{fold}-seed-{seed}" for fold in range(5) for seed in range(2)]
    assert names == [*seeds, "baseline-mean", "baseline-ridge"]


def test_a_finished_part_is_not_done_again(space: Workspace) -> None:
    config = smoke_config("length", "baselines=[]")
    path = part(config, space, 2) / "models" / "fold-2" / "job.json"
    inode = path.stat().st_ino
    part(config, space, 2)
    assert path.stat().st_ino == inode
    run, folder = opened(config, space)
    assert missing_parts(run, folder) == [0, 1, 3, 4]
    whole(config, space)
    assert path.stat().st_ino == inode
    assert part(config, space, 2) == folder


def test_parts_share_a_run_but_not_with_a_whole_one(space: Workspace) -> None:
    config = smoke_config("length", "baselines=[]")
    _, folder = opened(config, space)
    folder.mkdir(parents=True)
    with (folder / LOCK).open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        part(config, space, 0)
        with pytest.raises(BusyError, match="another process"):
            whole(config, space)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="the whole run"):
            part(config, space, 1)


def test_two_processes_do_not_both_do_a_part(space: Workspace) -> None:
    config = smoke_config("length", "baselines=[]")
    _, folder = opened(config, space)
    path = folder / "models" / ".parts" / "fold-3.lock"
    path.parent.mkdir(parents=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="the part fold-3"):
            part(config, space, 3)
        part(config, space, 4)


def test_a_run_starts_with_its_first_part(space: Workspace) -> None:
    config = smoke_config("length", "baselines=[]")
    folder = part(config, space, 0)
    first = first_start(folder)
    assert first is not None
    whole(config, space)
    assert first_start(folder) == first


def test_a_part_that_a_run_does_not_have_is_refused(space: Workspace) -> None:
    for number in (-1, 5):
        with pytest.raises(InputError, match=r"no part.*0-4"):
            part(smoke_config("length", "baselines=[]"), space, number)


def test_a_run_outlasts_a_look_at_its_lock(space: Workspace) -> None:
    config = smoke_config("length", "baselines=[]")
    _, folder = opened(config, space)
    folder.mkdir(parents=True)
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = threading.Timer(0.2, fcntl.flock, [lock, fcntl.LOCK_UN])
        done.start()
        require_intact(whole(config, space))
        done.join()
