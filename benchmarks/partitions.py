"""What arms reach over several partitions of the prompts, and their mean differences.

    python benchmarks/partitions.py STUDY [STUDY ...] --out FILE.json

A STUDY is the study.json of the same arms on one partition; their runs lie in the folder that
ESSAY_SCORING_RUNS names. Every candidate is compared with the candidates before it and with all
other arms. Prompts are swapped alike in all partitions, so that the mean of the differences has an
interval of its own: partitions share their essays, and are no independent news.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from own_runs import own_workspace

from essay_scoring.core.files import write_json
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.study_results import StudyRecord, read_study
from essay_scoring.statistics.comparison import compare, mean_delta
from essay_scoring.statistics.predictions import Predictions

METRICS = ("pooled_qwk", "mae")
REACHED = ("pooled_qwk", "mae", "worst_prompt_qwk")

Arms = Mapping[str, Predictions]


def arms_of(study: StudyRecord, runs: Path) -> dict[str, Predictions]:
    """Return the predictions of every arm that was judged or stands beside those."""
    of = {run.arm: run for run in study.runs if run.role != "baseline"}
    return {arm: read_run(runs / run.run).predictions for arm, run in of.items()}


def differences(partitions: Sequence[Arms], base: str, arm: str) -> dict[str, Any]:
    """Return the means over partitions of what an arm and another come to, and differ by."""
    deltas = [compare(of[base], of[arm], seed=0).deltas for of in partitions]
    means = {name: mean_delta([one[name] for one in deltas]) for name in METRICS}
    for name, mean in means.items():
        print(f"{arm} - {base}, {name}: {mean.estimate:+.4f} [{mean.low:+.4f}, {mean.high:+.4f}]")
    reached = {
        side: {name: fmean(getattr(one[name], side) for one in deltas) for name in REACHED}
        for side in ("reference", "candidate")
    }
    told = {name: mean.model_dump(mode="json") for name, mean in means.items()}
    return {"base": base, "arm": arm, **reached, "deltas": told}


def main() -> None:
    """Print and write the means over partitions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    studies = [read_study(path) for path in asked.studies]
    arms = dict.fromkeys(run.arm for run in studies[0].runs)
    candidates = [run.arm for run in studies[0].runs if run.role == "candidate"]
    runs = own_workspace().runs
    partitions = [arms_of(study, runs) for study in studies]
    rows = [
        differences(partitions, base, arm)
        for at, arm in enumerate(candidates)
        for base in arms
        if base not in candidates[at:]
    ]
    if asked.out is not None:
        write_json(asked.out, {"schema": 1, "partitions": len(partitions), "rows": rows})


if __name__ == "__main__":
    main()
