"""A study.json whose every name is hostile, and what may lie beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.core.record import write_record
from essay_scoring.records.audit_record import AuditSection, DetailTable, Figure, Verdict
from essay_scoring.records.judgements import Demand
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.study_results import StudyRecord
from tests.records.made import made_audit
from tests.reports.made_comparison import made_comparison
from tests.reports.made_run import hostile_run

HOSTILE = (
    '<script>top.ran=1</script> | \u202e"><img src=x onerror=top.ran=1> ' + "verylongname" * 12
)


def figure(value: float | None) -> dict[str, Any]:
    return {"estimate": value, "low": -0.1, "high": 0.9, "n": 40}


def made_study(folder: Path) -> StudyRecord:
    compared = made_comparison(folder)
    names = ("qwk", "mae", "low_tail_adjacent", "high_tail_adjacent")
    summary = {
        "n": 40,
        "overall": {name: figure(0.5) for name in names},
        "mean_over_folds": {"qwk": {"mean": 0.5, "std": 0.1, "n_folds": 3}},
        "worst_prompt": None,
        "bottom_k_mean": None,
    }
    run = {
        "arm": HOSTILE,
        "role": "candidate",
        "scheme": "prompt_holdout",
        "seed": 42,
        "run": "r-1",
        "manifest_sha256": "c" * 64,
        "family": "made",
        "summary": summary,
        "baselines": {"mean": summary},
        "seconds": 1.5,
    }
    answer = Demand(rule="host", asked="big", answers=(HOSTILE,), met=True)
    gates = [
        gate.model_copy(update={"candidate_runs": ("r-1",), "evidence": {"r-1": (answer,)}})
        for gate in compared.gates
    ]
    invalid = gates[0].model_copy(
        update={"verdict": "invalid", "reason": HOSTILE, "checks": (), "evidence": {}}
    )
    attempt = {
        "entry": 1,
        "run": "r-0",
        "plan": "p",
        "started": None,
        "time": "t",
        "reason": HOSTILE,
    }
    tuning = {
        "arm": HOSTILE,
        "search": "s-1",
        "mode": "flat",
        "figure": "mean_qwk",
        "objective": "mean_qwk",
        "trials": 30,
        "tried": 29,
        "space": ["scorer.max_depth"],
        "params": {"scorer.max_depth": 3},
        "expected_drop": 0.0312,
    }
    registered = {
        "entry": 1,
        "plan": "p",
        "plan_sha256": "f" * 64,
        "data_sha256": "a" * 64,
        "splits_sha256": "b" * 64,
        "code_revision": "d" * 64,
        "time": "t",
    }
    plan = {
        "name": "p",
        "sha256": "f" * 64,
        "frozen": {},
        "registered": registered,
        "power": HOSTILE,
    }
    data = {
        "kind": "made",
        "data_sha256": "a" * 64,
        "splits_sha256": "b" * 64,
        "predictions_sha256": "e" * 64,
        "n": 40,
        "n_prompts": 3,
    }
    luck = {
        "apparent": {"mean_qwk": 0.5},
        "drop": {"mean_qwk": 0.0123},
        "expected": {"mean_qwk": 0.4877},
        "reselected": 0.4,
        "selected": 2,
        "candidates": 3,
        "replicates": 500,
        "seed": 1,
    }
    machine = {"host": "made", "system": "made", "processor": "made", "threads": 2}
    return StudyRecord.model_validate(
        {
            "name": "made",
            "folder": "made-1",
            "date": "2026-01-01",
            "question": HOSTILE,
            "outcome": "proceed",
            "reason": HOSTILE,
            "decided_arm": HOSTILE,
            "decided_run": "r-1",
            "tuning": tuning,
            "data": data,
            "plans": [plan],
            "arms": [
                {"arm": HOSTILE, "role": "candidate", "ending": end, "reason": HOSTILE}
                for end in ("pass", "not_run")
            ],
            "runs": [run],
            "gates": [*gates, invalid],
            "comparisons": compared.comparisons,
            "luck": luck,
            "tied": [[HOSTILE, "reference"], ["alone"]],
            "attempts": [attempt],
            "checklist": [
                {"item": "one", "met": True, "evidence": HOSTILE},
                {"item": "two", "met": False, "evidence": HOSTILE},
            ],
            "code_revision": "d" * 64,
            "git": {"commit": None, "dirty": None},
            "machine": machine,
            "versions": {},
        }
    )


def made_section(verdict: Verdict = "fail") -> AuditSection:
    """Return a section of audit.json with hostile names."""
    figures = [
        Figure("SMD", HOSTILE, 0.1234, 40, -0.02, 0.3, limit=0.15, passes=False),
        Figure("SMD", "unknown", None, 3),
    ]
    table = DetailTable(HOSTILE, ("prompt", "n", "share"), [(HOSTILE, 40, 0.25), ("b", 3, None)])
    return AuditSection("subgroups", "Subgroups", HOSTILE, verdict, figures, [table])


def study_folder(runs: Path, *, audited: bool = True) -> Path:
    """Write a hostile study with its decided run and that run's audit; return its folder."""
    hostile_run(runs / "r-1")
    write_manifest(runs / "r-1")
    folder = runs / "studies" / "made-1"
    write_record(folder / "study.json", made_study(runs / "made"))
    if audited:
        write_record(
            runs / "audits" / "r-1" / "audit.json", made_audit(made_section(), folder="r-1")
        )
    return folder
