"""Kill a training at chosen moments and go on with it: a process of its own, since it forks.

Usage: python -m tests.models.transformer.killed_training FOLDER
Prints one JSON line: what an uninterrupted training comes to, and what came of every kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch

from essay_scoring.core.progress import ProgressEvent
from essay_scoring.models.transformer.torch_settings import torch_settings

from .bag import settings, training

EPOCHS, ESSAYS, TIMED_KILLS = 3, 60, 4
METHOD = {"method": "adversarial", "hidden": 4}


def train(work: Path, out: Path) -> None:
    """Train to the end; write the hash of all that was learnt, and how many epochs it took."""
    taught = training(settings(invariance=METHOD, epochs=EPOCHS, average_from=2), work, n=ESSAYS)
    begun: list[str] = []

    def note(event: ProgressEvent) -> None:
        if event.done == 0:
            begun.append(event.stage)

    taught.progress.listeners.append(note)
    with torch_settings(1, "cpu"):
        standing = taught.run("the same")
    digest = hashlib.sha256(json.dumps([standing.best, dict(standing.curve)]).encode())
    for name, value in sorted(taught.learner.network.trained_state().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    out.write_text(json.dumps({"hash": digest.hexdigest(), "epochs": len(begun)}))


def kill_at_file(number: int) -> None:
    """Let this process be killed just before its file operation of that number, from 0."""
    seen = count()

    def watched(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(path: Path, *arguments: Any, **named: Any) -> Any:
            # Removing what is not there changes nothing, so a kill before it tests nothing.
            if path.exists() and next(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(path, *arguments, **named)

        return run

    for name in ("replace", "unlink"):
        setattr(Path, name, watched(getattr(Path, name)))


def start(work: Path, out: Path, at_file: int | None = None) -> int:
    """Start a training in a forked child; return its pid."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if at_file is not None:
                kill_at_file(at_file)
            train(work, out)
            code = 0
        finally:
            os._exit(code)
    return pid


def epochs_kept(work: Path) -> int:
    """Return how many epochs lie in a folder of checkpoints."""
    index = work / "checkpoint.json"
    return int(json.loads(index.read_text())["standing"]["epochs"]) if index.is_file() else 0


def resume(work: Path) -> dict[str, Any]:
    """Train on from what a kill left; return what came of it."""
    kept, out = epochs_kept(work), work / "out.json"
    _, status = os.waitpid(start(work, out), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("a resumed training failed")
    found: dict[str, Any] = json.loads(out.read_text())
    shutil.rmtree(work)
    return {"hash": found["hash"], "kept": kept, "trained": found["epochs"]}


def main(folder: Path) -> None:
    """Train uninterrupted, then kill before every file operation, then at random times."""
    torch.set_num_threads(1)
    # What torch imports when it first trains, imported once here: forked children start at once.
    training(settings(epochs=1)).run("warm")
    began = time.monotonic()
    expected = resume(folder / "whole")
    duration = time.monotonic() - began
    endings = []
    for number in count():
        work = folder / f"at-{number}"
        _, status = os.waitpid(start(work, work / "out.json", number), 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            break
        endings.append(resume(work))
    draw = random.Random(11)
    for number in range(TIMED_KILLS):
        work = folder / f"timed-{number}"
        pid = start(work, work / "out.json")
        time.sleep(duration * draw.random())
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        work.mkdir(exist_ok=True)
        endings.append(resume(work))
    print(json.dumps({"expected": expected, "endings": endings}))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main(Path(sys.argv[1]))
