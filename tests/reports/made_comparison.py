"""A comparison of made runs whose folders and prompts have hostile names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from essay_scoring.core.files import write_json
from essay_scoring.judging.comparison_record import compare_candidates
from essay_scoring.judging.plans import GatePlan
from essay_scoring.records.finished_run import RunRecord, read_run
from essay_scoring.records.judgements import CandidatesRecord
from essay_scoring.records.manifest import write_manifest
from essay_scoring.statistics.predictions import Predictions
from tests.reports.made_run import with_hostile_prompts, write_made_run
from tests.statistics.made import made_predictions, rescored

NAMES = (
    "<script>top.ran=1<script>",
    "=1+1 & | $x_y^{z}% #~\\input\u202e",
    "verylongname" * 16,
)
"""Names of run folders: hostile to HTML, to spreadsheets and LaTeX, and to layout."""

PLAN = GatePlan.model_validate(
    {
        "name": "made",
        "question": "Is it <b>better</b>?",
        "scheme": "prompt_holdout",
        "rule": "point",
        "min_prompt_n": 20,
        "checks": [{"metric": "mean_qwk", "kind": "guardrail", "delta_at_least": -1.0}],
    }
)


def made_record(folder: Path, predictions: Predictions, *, columns: bool = True) -> RunRecord:
    """Write a made run that compares with others of the same essays, and return it."""
    rng, words = np.random.default_rng(5), {}
    if columns:
        words = {"word_count": rng.integers(200, 900, len(predictions)).astype(np.float64)}
    metrics = write_made_run(folder, predictions, columns=words)
    write_json(folder / "artifacts" / "cv_metrics.json", metrics)
    write_manifest(folder)
    return read_run(folder)


def made_comparison(folder: Path, *, plan: GatePlan = PLAN, n: int = 3) -> CandidatesRecord:
    """Return n hostile candidates against a hostile reference, as compare-cv-runs writes them."""
    first = with_hostile_prompts(made_predictions(400, n_prompts=9, n_folds=3))
    reference = made_record(folder / "runs" / "reference", first)
    candidates = [
        made_record(folder / "runs" / name, rescored(first, seed=seed, noise=0.3 + 0.1 * seed))
        for seed, name in enumerate(NAMES[:n])
    ]
    return compare_candidates(reference, candidates, plan)
