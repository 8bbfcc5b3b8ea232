"""A finished run to export: hostile prompts and ids, two scales or one, curves and baselines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.files import write_json, write_text
from essay_scoring.records.finished_run import SECOND_SCORES
from essay_scoring.records.manifest import write_manifest
from essay_scoring.statistics.predictions import Predictions
from tests.records.made import FIT
from tests.reports.made_card import PROVENANCE, STATUS
from tests.reports.made_run import write_made_run
from tests.statistics.made import made_predictions

FORMULAS = ("=HYPERLINK(A1)", "@SUM(1)", "+1-1", "-2+3", "\t=1", 'a\rb, "c"')
STARTED, ENDED = "2026-01-02T03:04:05.678901+00:00", "2026-01-02T04:00:00+00:00"


def hostile_predictions(n: int = 120) -> Predictions:
    """Return predictions whose first prompts and ids a spreadsheet would run."""
    made = made_predictions(n, n_prompts=8, n_folds=4)
    names = dict(zip(sorted(set(made.prompts)), FORMULAS, strict=False))
    ids = (f"={made.ids[0]}", *made.ids[1:])
    return replace(made, ids=ids, prompts=tuple(names.get(one, one) for one in made.prompts))


def finished_run(
    folder: Path, predictions: Predictions | None = None, **config: Any
) -> dict[str, Any]:
    """Write a finished run folder and return its metrics."""
    p = hostile_predictions() if predictions is None else predictions
    metrics = write_made_run(folder, p)
    metrics["fits"] = [
        {
            **FIT,
            "fold": int(fold),
            "rounds": 2,
            "curve": {
                "train": [0.9, 0.5, 0.4],
                "dev": [0.8, 0.6, 0.7],
                "prompt_accuracy": [0.5, 0.3, 0.2],
            },
            "n_fit": 80,
            "n_dev": 10,
            "seconds": 1.5,
        }
        for fold in np.unique(p.folds)
    ]
    metrics["config"] = {"name": "made", "seed": 42, **config}
    write_json(folder / "artifacts" / "cv_metrics.json", metrics)
    write_json(folder / "config.json", metrics["config"])
    if p.second is not None:
        scores = dict(zip(p.ids, p.second.tolist(), strict=True))
        known = {essay: score for essay, score in scores.items() if np.isfinite(score)}
        write_json(folder / SECOND_SCORES, {"schema": 1, "scores": known})
    write_json(folder / "provenance.json", PROVENANCE)
    sessions = [{"started": STARTED, "host": "a"}, {"started": ENDED, "host": "b"}]
    write_json(folder / "status.json", STATUS | {"sessions": sessions, "finished": ENDED})
    write_text(folder / "reports" / "residual_diagnostics.md", "# made\n")
    write_text(folder / "views" / "cv_report.md", "# made\n")
    write_text(folder / "models" / "fold-0" / "job.json", "{}")
    write_text(folder / "run.log", "a line\n")
    write_manifest(folder)
    return metrics
