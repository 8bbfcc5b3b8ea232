"""A made run folder, complete and intact, on which power is quick to simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essay_scoring.core.progress import Progress
from essay_scoring.judging.plans import GatePlan
from essay_scoring.judging.power import PowerSettings, power_of
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.fits import write_fit
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.power_results import PowerRecord
from essay_scoring.statistics.predictions import Predictions
from tests.records.made import made_fit
from tests.reports.made_run import write_made_run
from tests.statistics.made import made_predictions

RUN = made_predictions(400, n_prompts=8, n_folds=4, noise=0.8)


def run_folder(
    folder: Path, run: Predictions = RUN, baselines: dict[str, Any] | None = None
) -> Path:
    """Write a run with the raw out-of-fold predictions (n,) of its baselines, by name."""
    write_made_run(folder, run)
    for name, raw in (baselines or {}).items():
        write_fit(folder / "models/baselines" / name / "fold-0", made_fit(run.ids, raw), None)
    write_manifest(folder)
    return folder


def made_run(folder: Path, run: Predictions = RUN, **more: Any) -> RunRecord:
    """Return such a run as it is read back."""
    return read_run(run_folder(folder, run, **more))


def small_plan(rule: str = "point", **changes: Any) -> GatePlan:
    """Return a plan with a superiority check and two guardrails."""
    checks = [
        {"metric": "bottom_k_mean", "kind": "superiority", "delta_at_least": 0.01},
        {"metric": "mean_qwk", "kind": "guardrail", "delta_at_least": -0.01},
        {"metric": "low_tail_adjacent", "kind": "guardrail", "delta_at_least": -0.05},
    ]
    fields = {"name": "small", "question": "Better?", "scheme": "prompt_holdout", "rule": rule}
    return GatePlan.model_validate({**fields, "checks": checks, "bottom_k": 2, **changes})


def small_record(folder: Path, **changes: Any) -> PowerRecord:
    """Return the power of a small plan, of few simulations."""
    return power_of(small_plan(**changes), made_run(folder), PowerSettings(40), Progress())
