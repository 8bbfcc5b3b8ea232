"""The stability check: the leading configurations again on essays of prompts that were seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from essay_scoring.core.progress import Progress
from essay_scoring.records.config import RunConfig
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.workspace import Workspace
from essay_scoring.runs.cv import run_cv
from essay_scoring.statistics.comparison import compare

SCHEME = "stratified_text"


def check_stability(
    configs: Mapping[str, RunConfig],
    workspace: Workspace,
    progress: Progress,
    *,
    report: Callable[[Path], object],
    resume: str,
) -> list[dict[str, Any]]:
    """Return each configuration's mean QWK under `stratified_text` beside the reference's.

    `configs` by role, the reference first. Each is a run folder of its own, found again if it is
    there. Deltas have 95% intervals.
    """
    runs: dict[str, RunRecord] = {}
    for role, config in configs.items():
        changed = {"scheme": SCHEME, "baselines": (), "name": f"{config.name[:40]}-{role}"}
        folder = run_cv(
            config.model_copy(update=changed),
            workspace,
            progress,
            report=report,
            resume=resume,
        )
        runs[role] = read_run(folder)
    reference = runs["reference"]
    return [_row(role, run, reference) for role, run in runs.items()]


def _row(role: str, run: RunRecord, reference: RunRecord) -> dict[str, Any]:
    settings = run.metrics.summary.settings
    found = compare(
        reference.predictions,
        run.predictions,
        min_prompt_n=settings.min_prompt_n,
        bottom_k=settings.bottom_k,
        replicates=settings.replicates,
    )
    delta = found.deltas["mean_qwk"].to_json()
    return {
        "role": role,
        "run": run.folder.name,
        "manifest_sha256": run.manifest_sha256,
        "mean_qwk": delta["candidate"],
        "delta": delta["estimate"],
        "low": delta["low"],
        "high": delta["high"],
    }
