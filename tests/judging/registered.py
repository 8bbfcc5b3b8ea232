"""Finished runs to judge by registered plans: made once, copied for every test that changes one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from essay_scoring.core.errors import EvidenceError
from essay_scoring.core.files import read_json, write_json
from essay_scoring.core.progress import Progress
from essay_scoring.judging.judgement import (
    RegisteredJudgement,
    judge_folders,
    register_with_runs,
)
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.manifest import write_manifest
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.runs.run import open_run
from tests.conftest import smoke_config

LATER = "2100-01-01T00:00:00.000000+00:00"
METRICS, STATUS = "artifacts/cv_metrics.json", "status.json"

MADE_ON: dict[str, Any] = {
    "device": "rocm",
    "host": "big",
    "precision": "bf16",
    "finite": True,
}
FINE_TUNED = {
    "gradient_checkpointing": True,
    "effective_batch": 32,
    "length_bucketing": True,
    "chunked": True,
    "pooled": True,
}
STRICT = {
    "device": "rocm",
    "host": "big",
    "precision": ["fp32", "bf16"],
    "finite": True,
    "detached": True,
    "fine_tuning": {
        "gradient_checkpointing": True,
        "effective_batch": [32, 64],
        "length_bucketing": True,
        "chunked_and_pooled": True,
    },
}


def finished(family: str, space: Workspace, *overrides: str) -> Path:
    """Run a family's smoke config without baselines and pages."""
    config = smoke_config(family, "baselines=[]", "evaluation.replicates=100", *overrides)
    return run_cv(open_run(config, space, Progress()), report=lambda _: None, resume="again").folder


def plan_of(**changes: Any) -> GatePlan:
    """Return a plan that a run which equals its reference passes, of any tree."""
    values: dict[str, Any] = {
        "name": "trial",
        "question": "Is it no worse?",
        "scheme": "prompt_holdout",
        "rule": "point",
        "min_prompt_n": 5,
        "checks": [{"metric": "mean_qwk", "kind": "guardrail", "delta_at_least": -1.0}],
        "allow_dirty": True,
    }
    return GatePlan.model_validate(values | changes)


def rewritten(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    """Change a JSON file of a finished run as if the run had written it so."""
    value = read_json(folder / name)
    change(value)
    write_json(folder / name, value)
    write_manifest(folder)


def started(folder: Path, when: str, host: str = "big") -> None:
    """Give a finished run another start."""
    sessions = [{"started": when, "host": host}]
    rewritten(folder, STATUS, lambda status: status.update(sessions=sessions))


def made_on(fit: Any, **values: Any) -> None:
    """Change what a fit's record says it ran with."""
    [environment] = fit["environments"]
    if "device" in values:
        environment["device"] = values["device"]
    if "host" in values:
        environment["machine"]["host"] = values["host"]
    if "precision" in values:
        fit["precisions"] = [values["precision"]]
    if "finite" in values:
        fit["finite"] = values["finite"]


class Bench:
    """A runs folder of its own with a reference, and a candidate that started in the future."""

    def __init__(self, made: Workspace, space: Workspace) -> None:
        self.space = space
        shutil.copytree(made.runs, space.runs)
        [self.reference] = space.runs.glob("reference-*")
        [self.candidate] = space.runs.glob("candidate-*")
        started(self.candidate, LATER)

    def fine_tuned(self, *fits: dict[str, Any], **changes: object) -> None:
        """Make the candidate a run whose fits record what strict rules ask, but for the changes.

        `fits` change the first fits one by one, `changes` how all of them trained.
        """
        write_json(self.candidate / "receipt.json", {"session": "made"})
        values = MADE_ON | FINE_TUNED | changes

        def change(metrics: Any) -> None:
            trained = {k: v for k, v in values.items() if k not in MADE_ON}
            for number, fit in enumerate(metrics["fits"]):
                fit["execution"].update(trained)
                own = fits[number] if number < len(fits) else {}
                made_on(fit, **{k: (values | own)[k] for k in MADE_ON})

        rewritten(self.candidate, METRICS, change)

    def register(self, plan: GatePlan) -> None:
        """Register a plan with the reference."""
        register_with_runs(plan, [self.reference], self.space, results_seen=False)

    def judge(self, plan: GatePlan, *more: Path) -> RegisteredJudgement:
        """Judge the candidate, and more seeds of it, against the reference."""
        return judge_folders(plan, [self.reference], [self.candidate, *more], self.space)

    def refusal(self, plan: GatePlan) -> str:
        """Return the one line with which the candidate is refused as no evidence."""
        with pytest.raises(EvidenceError) as caught:
            self.judge(plan)
        assert caught.value.exit_code == 4
        return caught.value.line()
