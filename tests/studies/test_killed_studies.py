from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

KILLS = 3


def test_a_killed_study_goes_on_where_it_was(tmp_path: Path, warm_cache: Path) -> None:
    """Whatever the moment, the same arms end in the same way, and no finished run is done twice."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.studies.killed_studies", tmp_path, warm_cache, str(KILLS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [arm["ending"] for arm in found["expected"]["arms"]] == ["fail", "fail", "pass"]
    assert found["expected"]["registered"] == 2
    assert found["endings"] == [found["expected"]] * KILLS
    assert found["twice"] == 0
    assert found["cut_short"] >= 1
