"""Run and model folders to make cards of, with an audit and a study beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from essay_scoring.core.files import write_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.record import write_record
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.trait_results import TRAITS, TraitsRecord
from tests.records.made import ENVIRONMENT, made_audit
from tests.reports.made_run import hostile_run
from tests.studies.made_study import made_section, made_study

INTERVAL: dict[str, Any] = {
    "limits": [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]],
    "n_prompts": 14,
    "n_essays": 900,
    "fewest_prompts": 9,
    "coverage": 0.9,
    "finding": "Half a band either way.",
    "measured": {
        "estimate": 0.912,
        "low": 0.85,
        "high": 0.97,
        "share_of_essays": 0.9,
        "mean_width": 0.25,
        "parts": [{"part": "raters' score: low tail", "n_essays": 61, "share": 0.885}],
        "n_essays": 900,
        "n_prompts": 14,
    },
}
PROVENANCE: dict[str, Any] = {
    "data": {"kind": "synthetic", "data_sha256": "a" * 64, "n": 900},
    "splits_sha256": "b" * 64,
    "features": {},
    "environment": ENVIRONMENT,
    "seeds": {"run": 42, "splits": 1},
}
STATUS: dict[str, Any] = {
    "state": "complete",
    "stage": "reports",
    "pid": 1,
    "host": "made",
    "started": "2026-01-01",
    "sessions": [{"started": "2026-01-01", "host": "made"}],
    "resume": "cv",
    "heartbeat": "2026-01-01",
    "finished": "2026-01-01",
}
FLAGS: dict[str, Any] = {
    "fewest_words": 210,
    "most_words": 990,
    "most_unknown": 0.2,
    "fewest_common": 0.3,
    "farthest": 9.0,
    "prompts": ["a"],
}


def finished_run(runs: Path) -> Path:
    """Write a complete run folder with hostile prompts and return it."""
    folder = runs / "r-1"
    metrics = hostile_run(folder)
    preparation = {"exclude_prompts": ["<b>|"], "min_words": 200, "max_words": 1000}
    config = metrics["config"] | {"data": {"preparation": preparation}, "scorer": {"depth": 3}}
    write_json(folder / "config.json", config)
    write_json(folder / "provenance.json", PROVENANCE)
    write_json(folder / "status.json", STATUS)
    write_manifest(folder)
    return folder


def trained_model(models: Path, run: Path) -> Path:
    """Write a complete model folder that was trained after a run and return it."""
    folder = models / "m-1"
    comes_from = {"cv_run": run.name, "cv_manifest_sha256": file_sha256(run / "manifest.json")}
    record: dict[str, Any] = {
        "name": "m",
        "family": "xgboost",
        "scales": {"shared": {"low": 1, "high": 5}},
    }
    record |= {"mapping": "round_half_band", "cutpoints": None, "n_essays": 900, "n_prompts": 14}
    write_json(folder / "model.json", record | comes_from)
    write_json(folder / "provenance.json", PROVENANCE | comes_from)
    write_json(folder / "config.json", {"name": "m", "seed": 1})
    write_json(folder / "interval.json", INTERVAL)
    write_json(folder / "flags.json", FLAGS)
    write_manifest(folder)
    return folder


def audit_of(runs: Path, run: str = "r-1") -> Path:
    """Write the audit of a run where cards look for it and return its path."""
    attack = replace(made_section("fail"), name="adversarial", title="Adversarial essays")
    path = runs / "audits" / "r-1" / "audit.json"
    write_record(path, made_audit(made_section(), attack, folder=run))
    return path


def study_of(runs: Path) -> Path:
    """Write a study that decided for the run and return its path."""
    path = runs / "studies" / "made-1" / "study.json"
    write_record(path, made_study(runs / "made"))
    return path


def traits_of(runs: Path, *studies: str) -> Path:
    """Write a finished table of traits, one proceeding and the others not, and return its path."""
    outcomes = ("proceed", *["defer"] * (len(studies) - 1))
    made = ENVIRONMENT
    record = TraitsRecord.model_validate(
        {
            "folder": "t-1",
            "name": "t",
            "question": "which",
            "scheme": "prompt_holdout",
            "n_prompts": 9,
            "studies": [
                {
                    "trait": study,
                    "study": study,
                    "manifest_sha256": "c" * 64,
                    "outcome": outcome,
                    "decided_arm": "a",
                }
                for study, outcome in zip(studies, outcomes, strict=True)
            ],
            "rows": [],
            "judge_revision": "d" * 64,
            "git": made["git"],
            "machine": made["machine"],
        }
    )
    folder = runs / "traits" / "t-1"
    write_record(folder / TRAITS, record)
    write_manifest(folder)
    return folder
