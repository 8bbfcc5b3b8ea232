"""G3 of the strict order on made essays, from a cold cache to a decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from essay_scoring.core.files import read_json, write_text
from essay_scoring.records.manifest import require_intact
from essay_scoring.records.workspace import Workspace
from tests.conftest import ROOT
from tests.studies.made import endings, run_study

CONFIGS = ROOT / "configs"


def on_any_tree(study: Path, folder: Path) -> Path:
    """Copy a study whose gates refuse a tree with uncommitted changes, as a test must not."""
    text = study.read_text(encoding="utf-8")
    for gate in (CONFIGS / "gates").glob("*.toml"):
        if f"../gates/{gate.name}" in text and "allow_dirty" not in (plan := gate.read_text()):
            # Top-level keys come before the first table.
            head, table, rest = plan.partition("\n[")
            write_text(folder / gate.name, f"{head}\nallow_dirty = true\n{table}{rest}")
            text = text.replace(f"../gates/{gate.name}", str(folder / gate.name))
    write_text(folder / study.name, text.replace('"../', f'"{CONFIGS}/'))
    return folder / study.name


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_small_g3_ends_with_a_decision(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "runs", tmp_path / "cache", tmp_path)
    path = on_any_tree(CONFIGS / "studies" / "g3_synthetic.toml", tmp_path)
    # One epoch on fewer essays: the order of the arms and their evidence are tested, not what
    # they learn.
    text, layers = path.read_text(encoding="utf-8"), '"scorer.trained_layers=1",'
    smaller = {
        layers: f'{layers}\n    "scorer.epochs=1",',
        "n_essays=400": "n_essays=280",
        "power_simulations = 100": "power_simulations = 40",
    }
    for whole, less in smaller.items():
        assert whole in text
        text = text.replace(whole, less)
    write_text(path, text)
    folder = run_study(path, space)
    require_intact(folder)
    study = read_json(folder / "study.json")
    assert study["outcome"] in ("proceed", "defer", "inconclusive")
    ended = endings(study)
    # Evidence is whole: where an arm ran, a verdict was reached, whichever it is.
    assert "invalid" not in ended.values()
    assert "not_run" not in (ended["g3.1-none"], ended["g3.2-adversarial"])
    runs = {row["arm"]: space.runs / row["run"] for row in study["runs"]}
    for arm in runs.keys() - {"reference", "g1-catboost"}:
        require_intact(runs[arm])
        probe = read_json(runs[arm] / "artifacts" / "prompt_probe.json")
        assert probe["held_out"]["learnt"]["n"] > 0
        fits = read_json(runs[arm] / "artifacts" / "cv_metrics.json")["fits"]
        seen_by_classifier = arm in ("g3.2-adversarial", "prompt-head")
        assert all(("prompt_accuracy" in fit["curve"]) == seen_by_classifier for fit in fits)
