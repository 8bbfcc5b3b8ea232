"""G3 of the strict order on made essays, from a cold cache to a decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.files import read_json
from essay_scoring.experiments.manifest import require_intact
from essay_scoring.experiments.workspace import Workspace
from tests.conftest import ROOT
from tests.studies.made import run_study

FINE_TUNED = ("g3.1-none", "g3.2-adversarial", "g3.3-group-dro")


@pytest.mark.slow
def test_the_small_g3_ends_with_a_decision(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path)
    folder = run_study(ROOT / "configs" / "studies" / "g3_synthetic.toml", space)
    require_intact(folder)
    study = read_json(folder / "study.json")
    assert study["outcome"] in ("proceed", "defer", "inconclusive")
    assert {gate["arm"] for gate in study["gates"]} == set(FINE_TUNED)
    # Evidence is whole: a verdict is reached on every arm, whichever it is.
    assert "invalid" not in {gate["verdict"] for gate in study["gates"]}
    runs = {row["arm"]: space.runs / row["run"] for row in study["runs"]}
    for arm in FINE_TUNED:
        require_intact(runs[arm])
        probe = read_json(runs[arm] / "artifacts" / "prompt_probe.json")
        assert probe["held_out"]["learnt"]["n"] == 400
        fits = read_json(runs[arm] / "artifacts" / "cv_metrics.json")["fits"]
        if arm == "g3.2-adversarial":
            assert all("prompt_accuracy" in fit["curve"] for fit in fits)
