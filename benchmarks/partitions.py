"""The mean difference of two arms over several partitions of the prompts, with its interval.

    python benchmarks/partitions.py STUDY [STUDY ...] --out FILE.json

A STUDY is the study.json of the same two arms on one partition; their runs lie in the folder that
ESSAY_SCORING_RUNS names. Prompts are swapped alike in all of them, so that the mean of the
differences has an interval of its own: partitions share their essays, and are no independent news.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from own_runs import own_workspace

from essay_scoring.core.files import write_json
from essay_scoring.records.finished_run import read_run
from essay_scoring.records.study_results import read_study
from essay_scoring.statistics.comparison import Delta, compare, mean_delta

METRICS = ("pooled_qwk", "mae")


def differences(path: Path, runs: Path) -> dict[str, Delta]:
    """Return by how much the candidate of a study exceeds its reference."""
    study = read_study(path)
    of = {run.role: read_run(runs / run.run).predictions for run in study.runs}
    return compare(of["reference"], of["candidate"], seed=0).deltas


def main() -> None:
    """Print and write the mean over partitions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    runs = own_workspace().runs
    found = [differences(path, runs) for path in asked.studies]
    means = {name: mean_delta([deltas[name] for deltas in found]) for name in METRICS}
    for name, mean in means.items():
        print(f"{name}: {mean.estimate:+.4f} [{mean.low:+.4f}, {mean.high:+.4f}]")
    if asked.out is not None:
        told = {name: mean.model_dump(mode="json") for name, mean in means.items()}
        write_json(asked.out, {"schema": 1, "partitions": len(found), "deltas": told})


if __name__ == "__main__":
    main()
