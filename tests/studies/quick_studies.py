"""Studies whose columns cost nothing, wherever they are run, and what two of them must share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.files import read_json, read_text, write_text
from essay_scoring.features import blocks, feature_settings, table
from tests.conftest import SMOKE
from tests.studies.made import SMALL, arm, gates, study_file
from tests.studies.quick_block import LOG, QUICK_SETS

RESIDUALS = "artifacts/residuals_cv_val_oof.csv"
ALL = ("stop_after_pass = false",)


def use_quick_columns(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    """Have this process compute cheap columns, and note each essay in a file."""
    for module in (feature_settings, blocks, table):
        monkeypatch.setattr(module, "FEATURE_SETS", QUICK_SETS)
    monkeypatch.setenv(LOG, str(log))


def three_arms(
    folder: Path,
    *changed: str,
    top: Sequence[str] = ALL,
    seeds: Sequence[int] = (1,),
    context: bool = True,
) -> Path:
    """Write a study of three arms, and one for context, that names its files by relative paths."""
    lines = f"seeds = {list(seeds)}"
    shown = arm("shown", kind="context", family="ridge", changed=changed)
    path = study_file(
        folder,
        arm("short", gates("hard"), changed=changed),
        arm("wide", gates("easy"), lines, family="ridge", changed=changed),
        *([shown] if context else []),
        top=(*top, "seed_tolerance = 1.0"),
        changed=(*SMALL, *changed),
    )
    for family in ("length", "mean", "ridge"):
        write_text(folder / f"{family}.toml", read_text(SMOKE / f"{family}.toml", 1 << 20))
    write_text(path, path.read_text("utf-8").replace(f"{SMOKE}/", ""))
    return path


def verdicts(study: Path) -> dict[str, Any]:
    """Return all that a study decided and rests on, but for when and how long."""
    found: dict[str, Any] = read_json(study / "study.json")
    kept = ("folder", "outcome", "reason", "decided_arm", "decided_run", "arms", "comparisons")
    judged = [{**gate, "registered": None} for gate in found["gates"]]
    return {key: found[key] for key in kept} | {"gates": judged}


def predictions(runs: Path) -> dict[str, bytes]:
    """Return the predictions of every run, byte for byte."""
    return {path.name: (path / RESIDUALS).read_bytes() for path in runs.glob("*-*")}
