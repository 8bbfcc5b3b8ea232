"""The most memory held since one began to watch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from essay_scoring.core import memory
from essay_scoring.core.memory import watch_memory

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_was_held_and_given_back_counts_from_when_one_watches() -> None:
    before = watch_memory()
    held = np.ones(200 * MIB // 8)
    del held
    most = before()
    after = watch_memory()()
    assert most is not None
    assert after is not None
    assert 150 < most - after < 400


def test_a_system_that_does_not_tell_gives_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "no" / "such")
    assert watch_memory()() is None
