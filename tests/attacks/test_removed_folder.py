"""Someone removes a run folder while the run is going on."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.attacks.commands import refusal, words

LONG = ("--set", "scorer.rounds=1500", "--set", "scorer.patience=1500", "--set", "baselines=[]")


@pytest.mark.parametrize("what", [".", "models/fold-0"])
def test_nothing_is_sealed_that_is_not_whole(tmp_path: Path, warm_cache: Path, what: str) -> None:
    line = words("cv", "xgboost", tmp_path, warm_cache, LONG)
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not list((tmp_path / "runs").glob("smoke-*/models/fold-0/manifest.json")):
            assert process.poll() is None
            time.sleep(0.01)
        [folder] = (tmp_path / "runs").glob("smoke-*")
        # At once: file by file, it would race with the run that writes its progress.
        removed = (folder / what).resolve().rename(tmp_path / "removed")
        out, error = process.communicate(timeout=300)
    done = subprocess.CompletedProcess(line, process.returncode, out, error)
    assert "removed while" in refusal(done) or "not complete" in refusal(done)
    assert not (folder / "manifest.json").exists()
    shutil.rmtree(removed)
