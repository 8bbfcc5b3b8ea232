"""`make gpu-check`: the whole way on a processor, and a reason where there is no GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from essay_scoring.core.files import read_json
from tests.conftest import ROOT

torch = pytest.importorskip("torch", exc_type=ImportError)


def checked(tmp_path: Path, *words: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu_check.py")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "found.json"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_why_nothing_is_measured(tmp_path: Path) -> None:
    assert checked(tmp_path) == "skipped: torch sees no GPU here\n"
    assert not (tmp_path / "found.json").exists()


@pytest.mark.slow
def test_the_same_way_on_a_processor(tmp_path: Path) -> None:
    checked(tmp_path, "--device", "cpu")
    found = read_json(tmp_path / "found.json")
    assert [one["held"] for one in found["canaries"].values()] == [True, True]
    assert found["training"]["tokens_per_second"] > 0
    assert found["training"]["model_flop_utilisation"] > 0
    assert found["arm"]["essays"] > 0
    assert found["versions"]
    assert found["machine"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_on_a_gpu_every_canary_holds(tmp_path: Path) -> None:
    checked(tmp_path)
    assert all(one["held"] for one in read_json(tmp_path / "found.json")["canaries"].values())
